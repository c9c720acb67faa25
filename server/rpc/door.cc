#include "server/rpc/door.h"

#include <utility>

#include "base/certificate_files.h"
#include "grpc/health/v1/health.pb.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace genzo {
namespace {

// Of changed certificates.
constexpr unsigned kRefreshSeconds = 1;
// Of a call: room for a token that names many groups.
constexpr int kMostMetadataBytes = 16 << 10;
// Largest messages that all connections together hold, unfinished ones too,
// which nobody has shown a key for. Beyond that gRPC reads no more, and ends
// streams with RESOURCE_EXHAUSTED.
constexpr size_t kMessagesAtOnce = 16;
constexpr char kIdentity[] = "genzo";

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

absl::Status CheckFiles(const TlsConfig& tls) {
  const absl::Status own = CheckKeyOfCertificate("tls.cert_file", tls.cert_file,
                                                 "tls.key_file", tls.key_file);
  if (!own.ok() || tls.client_ca_file.empty()) return own;
  return CheckCertificate("tls.client_ca_file", tls.client_ca_file);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const TlsConfig& tls) {
  if (tls.cert_file.empty()) return grpc::InsecureServerCredentials();
  const absl::Status checked = CheckFiles(tls);
  if (!checked.ok()) return checked;
  namespace experimental = grpc::experimental;
  const auto provider =
      std::make_shared<experimental::FileWatcherCertificateProvider>(
          tls.key_file, tls.cert_file, tls.client_ca_file, kRefreshSeconds);
  experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.set_identity_cert_name(kIdentity);
  if (tls.client_ca_file.empty()) {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  } else {
    options.watch_root_certs();
    options.set_root_cert_name(kIdentity);
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return experimental::TlsServerCredentials(options);
}

absl::StatusOr<std::unique_ptr<Door>> Door::Create(
    const std::string& address, const DoorOptions& options,
    const std::vector<grpc::Service*>& services) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // Keeps the description of the health service in the program, for reflection.
  grpc::health::v1::HealthCheckRequest::descriptor();
  const auto credentials = MakeServerCredentials(options.tls);
  if (!credentials.ok()) return credentials.status();
  std::unique_ptr<Door> door(new Door);
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
  door->acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      *credentials);
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
