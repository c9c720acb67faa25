#include "worker/device/core_wait.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace genzo {

absl::Duration CoreWait() {
  namespace fs = std::filesystem;
  absl::Duration waited;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator("/proc/self/task", error)) {
    // Nanoseconds on a core, nanoseconds before one; a thread may end before
    // its file is read.
    std::ifstream file(thread.path() / "schedstat");
    int64_t ran = 0;
    int64_t queued = 0;
    if (file >> ran >> queued) waited += absl::Nanoseconds(queued);
  }
  return waited;
}

}  // namespace genzo
