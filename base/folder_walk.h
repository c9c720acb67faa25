#ifndef GENZO_BASE_FOLDER_WALK_H_
#define GENZO_BASE_FOLDER_WALK_H_

#include <filesystem>
#include <system_error>

namespace genzo {

// Where a walk through `folder` begins, which is its end if `error` is set.
// Folders below may be closed to us, but not the folder itself.
template <typename Iterator>
Iterator WalkFrom(const std::filesystem::path& folder, std::error_code& error) {
  std::filesystem::directory_iterator(folder, error);
  if (error) return {};
  return Iterator(folder,
                  std::filesystem::directory_options::skip_permission_denied,
                  error);
}

// Whether a walk that ended with an error may be taken for one through nothing:
// not where a folder below went while it was read, which says nothing about the
// others.
inline bool IsGone(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::status(folder, ignored).type() ==
         std::filesystem::file_type::not_found;
}

}  // namespace genzo

#endif  // GENZO_BASE_FOLDER_WALK_H_
