#ifndef GENZO_BASE_FILE_STAMP_H_
#define GENZO_BASE_FILE_STAMP_H_

#include <filesystem>
#include <string>

namespace genzo {

// Size and time of a file, or of all files in a folder and below, through links
// too but not in folders that are closed to us: another text once any of them
// has changed, has come or is gone. Never throws.
std::string FileStamp(const std::filesystem::path& path);

}  // namespace genzo

#endif  // GENZO_BASE_FILE_STAMP_H_
