#ifndef GENZO_BASE_PROCESS_METRICS_H_
#define GENZO_BASE_PROCESS_METRICS_H_

#include <vector>

#include "prometheus/collectable.h"

namespace genzo {

// Bytes of memory that the process has; 0 if the system does not tell.
double ResidentBytes();

// What the process uses of its machine, under the names that every Prometheus
// client has for it: process_cpu_seconds_total, process_open_fds and so on.
// What the system does not tell is left out. Thread-safe.
class ProcessMetrics : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace genzo

#endif  // GENZO_BASE_PROCESS_METRICS_H_
