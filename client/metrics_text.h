#ifndef GENZO_CLIENT_METRICS_TEXT_H_
#define GENZO_CLIENT_METRICS_TEXT_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace genzo {

// Reads the server's /metrics page now.
using MetricsReader = std::function<absl::StatusOr<std::string>()>;

// The sum of `name` over its labels in `page`, Prometheus' text format.
// NOT_FOUND if it is not there.
absl::StatusOr<double> MetricSum(absl::string_view page,
                                 absl::string_view name);

}  // namespace genzo

#endif  // GENZO_CLIENT_METRICS_TEXT_H_
