#include "gateway/a1111_memory.h"

#include <unistd.h>

#include <cstdint>

#include "base/process_metrics.h"

namespace genzo {

nlohmann::json A1111Memory() {
  const auto used = static_cast<int64_t>(ResidentBytes());
  const int64_t total =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return {
      {"ram", {{"free", total - used}, {"used", used}, {"total", total}}},
      {"cuda", {{"error", "not told here; /metrics of the server has it"}}}};
}

}  // namespace genzo
