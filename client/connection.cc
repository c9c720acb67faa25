#include "client/connection.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"
#include "grpcpp/support/client_interceptor.h"

namespace genzo {
namespace {

namespace experimental = grpc::experimental;

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

constexpr char kCaFile[] = "GENZO_CA_FILE";
constexpr char kCertFile[] = "GENZO_CERT_FILE";
constexpr char kKeyFile[] = "GENZO_CERT_KEY_FILE";

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Call credentials would do, but not without TLS.
class KeyAdder : public experimental::Interceptor {
 public:
  explicit KeyAdder(std::string key) : key_(std::move(key)) {}

  void Intercept(experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("x-api-key", key_);
    }
    methods->Proceed();
  }

 private:
  const std::string key_;
};

class KeyAdders : public experimental::ClientInterceptorFactoryInterface {
 public:
  explicit KeyAdders(std::string key) : key_(std::move(key)) {}
  experimental::Interceptor* CreateClientInterceptor(
      experimental::ClientRpcInfo*) override {
    return new KeyAdder(key_);
  }

 private:
  const std::string key_;
};

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf() {
  const std::string ca = FromEnvironment(kCaFile);
  if (ca.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  if (ca != "system") options.pem_root_certs = Contents(ca) + "\n";
  const std::string cert = FromEnvironment(kCertFile);
  if (!cert.empty()) {
    options.pem_cert_chain = Contents(cert);
    options.pem_private_key = Contents(FromEnvironment(kKeyFile));
  }
  return grpc::SslCredentials(options);
}

// "localhost" and "[::1]" have no port; "unix:/run/genzo" needs none.
std::string WithPort(const std::string& server) {
  const bool has_none = server.find(':') == std::string::npos ||
                        (server.front() == '[' && server.back() == ']');
  return has_none ? absl::StrCat(server, ":50051") : server;
}

// A server that is started again is found in seconds, not minutes, and a
// connection that died without a word within one minute.
grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  return arguments;
}

absl::Status CheckPem(const char* variable, const std::string& path) {
  if (Contents(path).find("-----BEGIN ") != std::string::npos) {
    return absl::OkStatus();
  }
  const bool is_readable = access(path.c_str(), R_OK) == 0;
  return absl::InvalidArgumentError(absl::StrCat(
      variable, " ", path,
      is_readable ? " is no PEM file"
                  : absl::StrCat(" cannot be read: ", std::strerror(errno))));
}

}  // namespace

bool UsesTls() { return !FromEnvironment(kCaFile).empty(); }

absl::Status CheckEnvironment() {
  if (!UsesTls()) return absl::OkStatus();
  for (const char* variable : {kCaFile, kCertFile, kKeyFile}) {
    const std::string path = FromEnvironment(variable);
    const bool is_file =
        !path.empty() && !(variable == kCaFile && path == "system");
    if (!is_file) continue;
    absl::Status sound = CheckPem(variable, path);
    if (!sound.ok()) return sound;
  }
  if (FromEnvironment(kCertFile).empty() != FromEnvironment(kKeyFile).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kCertFile, " and ", kKeyFile, " go together"));
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  std::vector<std::unique_ptr<experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  const std::string key = FromEnvironment("GENZO_API_KEY");
  if (!key.empty()) interceptors.push_back(std::make_unique<KeyAdders>(key));
  return experimental::CreateCustomChannelWithInterceptors(
      WithPort(server), CredentialsOf(), Arguments(), std::move(interceptors));
}

}  // namespace genzo
