#include "server/rpc/server_certificate.h"

#include <utility>

#include "base/logging.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security.h"

namespace genzo {
namespace {

// gRPC's C++ interface has no certificates that change under a server but
// those of files that it reads itself; the C interface below it asks before
// each handshake.
class AskedCredentials : public grpc::ServerCredentials {
 public:
  explicit AskedCredentials(const ServerCertificate& certificate)
      : certificate_(certificate) {
    const auto clients =
        certificate.files()->client_ca.empty()
            ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            clients, &AskedCredentials::Tell, this));
  }
  ~AskedCredentials() override {
    grpc_server_credentials_release(credentials_);
  }

  // Who calls is looked at by the handlers.
  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC holds a lock of the port meanwhile: `told_` needs none.
  static grpc_ssl_certificate_config_reload_status Tell(
      void* self, grpc_ssl_server_certificate_config** config) {
    auto& credentials = *static_cast<AskedCredentials*>(self);
    auto files = credentials.certificate_.files();
    if (files == credentials.told_) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const grpc_ssl_pem_key_cert_pair pair = {files->key.c_str(),
                                             files->certificate.c_str()};
    // gRPC 1.51 aborts without authorities. Where clients are not asked for a
    // certificate nobody looks at them.
    const std::string& authorities =
        files->client_ca.empty() ? files->certificate : files->client_ca;
    *config = grpc_ssl_server_certificate_config_create(
        authorities.c_str(), &pair, /*num_key_cert_pairs=*/1);
    credentials.told_ = std::move(files);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const ServerCertificate& certificate_;
  std::shared_ptr<const TlsFiles> told_;
  grpc_server_credentials* credentials_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ServerCertificate>> ServerCertificate::Open(
    const TlsConfig& tls) {
  auto files = ReadTlsFiles(tls);
  if (!files.ok()) return files.status();
  return std::unique_ptr<ServerCertificate>(
      new ServerCertificate(tls, *std::move(files)));
}

void ServerCertificate::Refresh() {
  auto now = ReadTlsFiles(tls_);
  if (!now.ok()) {
    // One of them may be on its way.
    std::string why(now.status().message());
    if (why != why_not_) {
      spdlog::error("the certificate of gRPC stays as it was: {}", why);
    }
    why_not_ = std::move(why);
    return;
  }
  const bool was_bad = !std::exchange(why_not_, "").empty();
  const bool is_same = *now == *files();
  if (is_same && !was_bad) return;
  spdlog::info("the certificate of gRPC, {}, {}", tls_.cert_file,
               is_same ? "is what it was" : "is taken over");
  if (is_same) return;
  absl::MutexLock lock(&mutex_);
  files_ = std::make_shared<const TlsFiles>(*std::move(now));
}

std::shared_ptr<grpc::ServerCredentials> ServerCertificate::Credentials()
    const {
  return std::make_shared<AskedCredentials>(*this);
}

}  // namespace genzo
