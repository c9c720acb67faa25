#ifndef GENZO_SERVER_FRONT_END_H_
#define GENZO_SERVER_FRONT_END_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "queue/model_control.h"
#include "server/event_logs.h"
#include "server/event_pump.h"
#include "server/image_generation_service.h"
#include "server/job_intake.h"
#include "server/listener.h"
#include "server/model_admin_service.h"
#include "server/model_registry_service.h"

namespace genzo {

// What a front end works with; all outlive it.
struct FrontEndDependencies {
  JobQueue& queue;
  const ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
  ModelControl& models;
};

// What a front end is told by the configuration.
struct FrontEndOptions {
  RequestLimits limits = {};
  DeliveryLimits delivery = {};
  std::string admin_api = "loopback";
};

// The gRPC server: the services, the standard health service and reflection.
// Takes connections up to a share of the descriptors that the process may have,
// which it raises as far as it may; refuses compressed messages. Thread-safe.
class FrontEnd {
 public:
  // Listens on `address`, "host:port"; port 0 takes a free one. Not serving, in
  // the health service's sense, until SetServing(true). UNAVAILABLE if the
  // address cannot be used.
  static absl::StatusOr<std::unique_ptr<FrontEnd>> Start(
      const std::string& address, const FrontEndOptions& options,
      const FrontEndDependencies& dependencies);
  ~FrontEnd();

  void SetServing(bool serving);

  // Refuses new calls, waits for those under way until `timeout`, then breaks
  // them off.
  void Shutdown(absl::Duration timeout);

  int port() const { return listener_->port(); }
  // To the same services, without a socket; works until Shutdown.
  std::shared_ptr<grpc::Channel> InProcessChannel() {
    return server_->InProcessChannel({});
  }

 private:
  FrontEnd(const FrontEndOptions& options,
           const FrontEndDependencies& dependencies);

  const std::unique_ptr<Authenticator> authenticator_;
  EventLogs logs_;
  JobIntake intake_;
  EventPump pump_;  // sweeps the logs
  ImageGenerationService image_generation_;
  ModelRegistryService model_registry_;
  ModelAdminService model_admin_;
  std::unique_ptr<grpc::Server> server_;  // uses the services
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<Listener> listener_;  // last: its thread uses the acceptor
};

}  // namespace genzo

#endif  // GENZO_SERVER_FRONT_END_H_
