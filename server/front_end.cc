#include "server/front_end.h"

#include <chrono>

#include "grpc/health/v1/health.pb.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"

namespace genzo {
namespace {

// What a request has besides its picture.
constexpr int kMaxBytesBesidesImage = 4 << 20;

// Notices dead peers, but not before a suspended reader would be given up, and
// forgives clients that ping every 20 s or slower.
void SetKeepalive(grpc::ServerBuilder& builder, absl::Duration reader_timeout) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(
      GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
      static_cast<int>(absl::ToInt64Milliseconds(reader_timeout)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  // A connection that says nothing costs a descriptor.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 20'000);
}

// A message is inflated before its size is looked at, and a small one may
// inflate to gigabytes. Prompts have nothing to gain.
void RefuseCompression(grpc::ServerBuilder& builder) {
  for (auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

}  // namespace

FrontEnd::FrontEnd(const FrontEndOptions& options,
                   const FrontEndDependencies& dependencies)
    : authenticator_(MakeTrustingAuthenticator(options.admin_api)),
      logs_(
          options.delivery,
          /*cancel=*/
          [&queue = dependencies.queue](const std::string& id) {
            queue.Cancel(id);
          },
          dependencies.clock, dependencies.metrics),
      intake_(options.limits,
              {dependencies.queue, dependencies.catalog, dependencies.metrics,
               dependencies.clock},
              logs_),
      pump_(/*tick=*/[this] { logs_.Sweep(); }),
      image_generation_(*authenticator_,
                        {intake_, dependencies.metrics, pump_}),
      model_registry_(dependencies.catalog, *authenticator_,
                      dependencies.metrics),
      model_admin_(dependencies.catalog, dependencies.models, *authenticator_,
                   dependencies.metrics) {}

absl::StatusOr<std::unique_ptr<FrontEnd>> FrontEnd::Start(
    const std::string& address, const FrontEndOptions& options,
    const FrontEndDependencies& dependencies) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // Keeps the description of the health service in the program, for reflection.
  grpc::health::v1::HealthCheckRequest::descriptor();
  std::unique_ptr<FrontEnd> front_end(new FrontEnd(options, dependencies));
  auto listener =
      Listener::Create(address, ConnectionCap(RaiseDescriptorLimit()));
  if (!listener.ok()) return listener.status();
  front_end->listener_ = *std::move(listener);
  grpc::ServerBuilder builder;
  SetKeepalive(builder, options.delivery.reader_timeout);
  builder.SetMaxReceiveMessageSize(options.limits.max_image_bytes +
                                   kMaxBytesBesidesImage);
  RefuseCompression(builder);
  front_end->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  builder.RegisterService(&front_end->image_generation_);
  builder.RegisterService(&front_end->model_registry_);
  builder.RegisterService(&front_end->model_admin_);
  front_end->server_ = builder.BuildAndStart();
  if (front_end->server_ == nullptr) {
    return absl::InternalError("the gRPC server cannot be started");
  }
  front_end->SetServing(false);
  front_end->listener_->Start([&acceptor = *front_end->acceptor_](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        connection;
    connection.fd = fd;
    acceptor.HandleNewConnection(&connection);
  });
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
  health->SetServingStatus("genzo.v1.ModelAdmin", serving);
}

void FrontEnd::Shutdown(absl::Duration timeout) {
  listener_->Stop();
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoMilliseconds(timeout));
}

}  // namespace genzo
