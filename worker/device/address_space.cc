#include "worker/device/address_space.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace genzo {

void RestartIfAddressSpaceIsLimited([[maybe_unused]] char** argv) {
#ifdef GENZO_JEMALLOC
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return;
  }
  // jemalloc reads it before main(), and once.
  const char* const given = std::getenv("MALLOC_CONF");
  const std::string settings = given == nullptr ? "" : given;
  if (settings.find("retain:") != std::string::npos) return;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  // Nor is freed memory kept, as loading_memory.cc has it: it takes addresses.
  const std::string frees =
      "retain:false,oversize_threshold:8388608,dirty_decay_ms:0";
  const std::string all = settings.empty() ? frees : settings + "," + frees;
  setenv("MALLOC_CONF", all.c_str(), /*overwrite=*/1);
  execv(program.c_str(), argv);
#endif
}

}  // namespace genzo
