#ifndef GENZO_GATEWAY_FIGURES_PAGE_H_
#define GENZO_GATEWAY_FIGURES_PAGE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "gateway/http_server.h"

namespace genzo {

// Serves, for those who run a door that stands alone, without any secret:
//   /metrics  figures, for Prometheus
//   /livez    200 while the process can answer at all
// on "host:port"; port 0 takes a free one. `metrics` outlives it. UNAVAILABLE
// if the address cannot be used.
absl::StatusOr<std::unique_ptr<HttpServer>> ServeFigures(
    const std::string& address, const Metrics& metrics);

}  // namespace genzo

#endif  // GENZO_GATEWAY_FIGURES_PAGE_H_
