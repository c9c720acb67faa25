#include "server/front_end.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"

namespace genzo {
namespace {

// Notices dead peers, and forgives clients that ping every 20 s or slower.
void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FrontEnd>> FrontEnd::Start(
    const std::string& address, const RequestLimits& limits,
    const FrontEndDependencies& dependencies) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // Keeps the description of the health service in the program, for reflection.
  grpc::health::v1::HealthCheckRequest::descriptor();
  std::unique_ptr<FrontEnd> front_end(new FrontEnd(limits, dependencies));
  grpc::ServerBuilder builder;
  // Without this a second server would share the port and take half the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  SetKeepalive(builder);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(),
                           &front_end->port_);
  builder.RegisterService(&front_end->image_generation_);
  builder.RegisterService(&front_end->model_registry_);
  front_end->server_ = builder.BuildAndStart();
  if (front_end->server_ == nullptr || front_end->port_ == 0) {
    return absl::UnavailableError(
        absl::StrCat("listen address ", address,
                     " cannot be used: it is taken or not this machine's"));
  }
  front_end->SetServing(false);
  return front_end;
}

FrontEnd::~FrontEnd() {
  if (server_ != nullptr) Shutdown(absl::ZeroDuration());
}

void FrontEnd::SetServing(bool serving) {
  auto* health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  health->SetServingStatus(serving);  // ""
  health->SetServingStatus("genzo.v1.ImageGeneration", serving);
  health->SetServingStatus("genzo.v1.ModelRegistry", serving);
}

void FrontEnd::Shutdown(absl::Duration timeout) {
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoMilliseconds(timeout));
}

}  // namespace genzo
