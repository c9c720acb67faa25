#ifndef GENZO_BASE_FOLDER_LOCK_H_
#define GENZO_BASE_FOLDER_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace genzo {

// Holds off all others that want the same folder, in this process or another
// on this machine, for as long as it lives (flock).
class FolderLock {
 public:
  // Waits for it. Where the folder cannot be opened it locks nothing: whoever
  // uses the folder hears of that.
  static FolderLock Await(const std::string& folder);
  // UNAVAILABLE if another has it.
  static absl::StatusOr<FolderLock> Try(const std::string& folder);

  FolderLock(FolderLock&& other) noexcept
      : folder_(std::exchange(other.folder_, -1)) {}
  ~FolderLock();

 private:
  explicit FolderLock(int folder) : folder_(folder) {}

  int folder_;
};

}  // namespace genzo

#endif  // GENZO_BASE_FOLDER_LOCK_H_
