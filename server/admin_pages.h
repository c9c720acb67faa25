#ifndef GENZO_SERVER_ADMIN_PAGES_H_
#define GENZO_SERVER_ADMIN_PAGES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/metrics.h"
#include "server/readiness.h"

class CivetHandler;
class CivetServer;

namespace genzo {

// Plain HTTP for those who run the server, without any secret:
//   /metrics   figures, for Prometheus
//   /livez     200 while the process can answer at all
//   /readyz    200 while the server serves, else 503 and why not
//   /startupz  200 once it has served, else 503
// Thread-safe.
class AdminPages {
 public:
  // Listens on "host:port"; port 0 takes a free one. `metrics` and `readiness`
  // outlive the pages. UNAVAILABLE if the address cannot be used.
  static absl::StatusOr<std::unique_ptr<AdminPages>> Serve(
      const std::string& address, const Metrics& metrics,
      const Readiness& readiness);
  ~AdminPages();

  int port() const;

 private:
  AdminPages();

  std::string host_;  // without brackets
  std::vector<std::unique_ptr<CivetHandler>> handlers_;
  std::unique_ptr<CivetServer> server_;  // last: its threads use the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_ADMIN_PAGES_H_
