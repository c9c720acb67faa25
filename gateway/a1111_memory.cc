#include "gateway/a1111_memory.h"

#include <unistd.h>

#include <cstdint>

#include "base/process_metrics.h"
#include "prometheus/metric_family.h"

namespace genzo {

nlohmann::json A1111Memory() {
  int64_t used = 0;
  for (const auto& family : ProcessMetrics().Collect()) {
    if (family.name == "process_resident_memory_bytes") {
      used = static_cast<int64_t>(family.metric.at(0).gauge.value);
    }
  }
  const int64_t total =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return {
      {"ram", {{"free", total - used}, {"used", used}, {"total", total}}},
      {"cuda", {{"error", "not told here; /metrics of the server has it"}}}};
}

}  // namespace genzo
