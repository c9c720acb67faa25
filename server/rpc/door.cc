#include "server/rpc/door.h"

#include <utility>

#include "grpc/health/v1/health.pb.h"
#include "grpcpp/ext/channelz_service_plugin.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"

namespace genzo {
namespace {

// Of a call: room for a token that names many groups.
constexpr int kMostMetadataBytes = 16 << 10;
// Largest messages that all connections together hold, unfinished ones too,
// which nobody has shown a key for. Beyond that gRPC reads no more, and ends
// streams with RESOURCE_EXHAUSTED.
constexpr size_t kMessagesAtOnce = 16;

void SetTimes(grpc::ServerBuilder& builder, const DoorOptions& options) {
  const ConnectionTimes& times = options.times;
  for (const auto& [argument, time] :
       {std::pair(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, times.handshake),
        std::pair(GRPC_ARG_KEEPALIVE_TIME_MS, times.ping_after),
        std::pair(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options.reader_timeout),
        std::pair(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                  times.client_pings),
        std::pair(GRPC_ARG_MAX_CONNECTION_AGE_MS, times.age),
        std::pair(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, times.age_grace)}) {
    builder.AddChannelArgument(
        argument, static_cast<int>(absl::ToInt64Milliseconds(time)));
  }
  // Either side may ping between two calls.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

// A message is inflated before its size is looked at, and a small one may
// inflate to gigabytes. Prompts have nothing to gain.
void RefuseCompression(grpc::ServerBuilder& builder) {
  for (auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

// gRPC puts what its libraries bring into every server of the process: this
// leaves out what `options` do not name.
class OwnServices : public grpc::ServerBuilderOption {
 public:
  explicit OwnServices(const DoorOptions& options)
      : reflection_(options.reflection), channelz_(options.channelz) {}

  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    std::erase_if(*plugins, [this](const auto& plugin) {
      const std::string name = plugin->name();
      return (name == "proto_server_reflection" && !reflection_) ||
             (name == "channelz_service" && !channelz_);
    });
  }

 private:
  const bool reflection_;
  const bool channelz_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Door>> Door::Create(
    const std::string& address, const DoorOptions& options,
    const std::vector<grpc::Service*>& services) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  if (options.channelz) grpc::channelz::experimental::InitChannelzService();
  // Keeps the description of the health service in the program, for reflection.
  grpc::health::v1::HealthCheckRequest::descriptor();
  std::unique_ptr<Door> door(new Door);
  door->credentials_ = options.certificate == nullptr
                           ? grpc::InsecureServerCredentials()
                           : options.certificate->Credentials();
  auto listener =
      Listener::Create(address, ConnectionCap(RaiseDescriptorLimit()) -
                                    options.other_connections);
  if (!listener.ok()) return listener.status();
  door->listener_ = *std::move(listener);
  grpc::ServerBuilder builder;
  SetTimes(builder, options);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  grpc::ResourceQuota memory("messages");
  memory.Resize(kMessagesAtOnce * options.max_message_bytes);
  builder.SetResourceQuota(memory);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMostMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             options.max_calls);
  RefuseCompression(builder);
  builder.SetOption(std::make_unique<OwnServices>(options));
  door->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      door->credentials_);
  for (grpc::Service* service : services) builder.RegisterService(service);
  door->server_ = builder.BuildAndStart();
  if (door->server_ == nullptr) {
    return absl::InternalError("the gRPC server cannot be started");
  }
  return door;
}

void Door::Open() {
  listener_->Start([&acceptor = *acceptor_](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        connection;
    connection.fd = fd;
    acceptor.HandleNewConnection(&connection);
  });
}

void Door::SetServing(bool serving, const std::vector<std::string>& services) {
  auto* health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  health->SetServingStatus(serving);  // ""
  for (const std::string& name : services) {
    health->SetServingStatus(name, serving);
  }
}

void Door::Shutdown(absl::Time deadline) {
  listener_->Stop();
  server_->Shutdown(absl::ToChronoTime(deadline));
}

}  // namespace genzo
