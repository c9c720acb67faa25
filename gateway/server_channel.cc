#include "gateway/server_channel.h"

#include "base/certificate_files.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace genzo {
namespace {

namespace experimental = grpc::experimental;

constexpr char kSystem[] = "system";
constexpr unsigned kRefreshSeconds = 1;

absl::Status Check(const ServerTls& tls) {
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        "--server-cert and --server-key need each other");
  }
  if (!tls.cert_file.empty() && tls.ca_file.empty()) {
    return absl::InvalidArgumentError("--server-cert needs --server-ca");
  }
  if (!tls.ca_file.empty() && tls.ca_file != kSystem) {
    const absl::Status ca = CheckCertificate("--server-ca", tls.ca_file);
    if (!ca.ok()) return ca;
  }
  if (tls.cert_file.empty()) return absl::OkStatus();
  return CheckKeyOfCertificate("--server-cert", tls.cert_file, "--server-key",
                               tls.key_file);
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const ServerTls& tls) {
  if (tls.ca_file.empty()) return grpc::InsecureChannelCredentials();
  const std::string roots = tls.ca_file == kSystem ? "" : tls.ca_file;
  experimental::TlsChannelCredentialsOptions options;
  if (!roots.empty() || !tls.cert_file.empty()) {
    options.set_certificate_provider(
        std::make_shared<experimental::FileWatcherCertificateProvider>(
            tls.key_file, tls.cert_file, roots, kRefreshSeconds));
  }
  if (!roots.empty()) options.watch_root_certs();
  if (!tls.cert_file.empty()) options.watch_identity_key_cert_pairs();
  return experimental::TlsCredentials(options);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectToServer(
    const std::string& server, const ServerTls& tls) {
  const absl::Status checked = Check(tls);
  if (!checked.ok()) return checked;
  return grpc::CreateChannel(server, CredentialsOf(tls));
}

}  // namespace genzo
