#ifndef GENZO_SERVER_FRONT_END_H_
#define GENZO_SERVER_FRONT_END_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/server.h"
#include "server/image_generation_service.h"
#include "server/model_registry_service.h"

namespace genzo {

// The gRPC server: both services, the standard health service and reflection.
// Thread-safe.
class FrontEnd {
 public:
  // Listens on `address`, "host:port"; port 0 takes a free one. Not serving, in
  // the health service's sense, until SetServing(true). UNAVAILABLE if the
  // address cannot be used.
  static absl::StatusOr<std::unique_ptr<FrontEnd>> Start(
      const std::string& address, const RequestLimits& limits,
      const FrontEndDependencies& dependencies);
  ~FrontEnd();

  void SetServing(bool serving);

  // Refuses new calls, waits for those under way until `timeout`, then breaks
  // them off.
  void Shutdown(absl::Duration timeout);

  int port() const { return port_; }

 private:
  FrontEnd(const RequestLimits& limits,
           const FrontEndDependencies& dependencies)
      : image_generation_(limits, dependencies),
        model_registry_(dependencies.catalog, dependencies.models,
                        dependencies.metrics) {}

  ImageGenerationService image_generation_;
  ModelRegistryService model_registry_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;  // last: uses the services
};

}  // namespace genzo

#endif  // GENZO_SERVER_FRONT_END_H_
