#include <cstdint>
#include <cstdlib>

#include "gateway/target.h"

// Whatever is taken is a path that leads nowhere else.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto target =
      genzo::ParseTarget({reinterpret_cast<const char*>(data), size});
  if (!target.ok() || target->path == "*") return 0;
  if (target->path[0] != '/' ||
      (target->path + "/").find("/../") != std::string::npos) {
    std::abort();
  }
  return 0;
}
