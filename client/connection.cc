#include "client/connection.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
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

using Headers = std::vector<std::pair<std::string, std::string>>;

// What is sent with every call, and the variables that say it.
constexpr std::array<std::pair<const char*, const char*>, 2> kHeaders = {
    {{"x-api-key", "GENZO_API_KEY"}, {"x-genzo-tenant", "GENZO_TENANT"}}};

Headers HeadersOf() {
  Headers headers;
  for (const auto& [header, variable] : kHeaders) {
    const std::string value = FromEnvironment(variable);
    if (!value.empty()) headers.emplace_back(header, value);
  }
  return headers;
}

// Call credentials would do, but not without TLS.
class HeaderAdder : public experimental::Interceptor {
 public:
  explicit HeaderAdder(const Headers& headers) : headers_(headers) {}

  void Intercept(experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      for (const auto& header : headers_) {
        methods->GetSendInitialMetadata()->insert(header);
      }
    }
    methods->Proceed();
  }

 private:
  const Headers headers_;
};

class HeaderAdders : public experimental::ClientInterceptorFactoryInterface {
 public:
  explicit HeaderAdders(Headers headers) : headers_(std::move(headers)) {}
  experimental::Interceptor* CreateClientInterceptor(
      experimental::ClientRpcInfo*) override {
    return new HeaderAdder(headers_);
  }

 private:
  const Headers headers_;
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

// gRPC ends the program for what no header may have: the end of a line, say, of
// a file that was made elsewhere. The value may be a secret.
absl::Status CheckHeaders() {
  for (const auto& [header, variable] : kHeaders) {
    if (absl::c_all_of(FromEnvironment(variable), absl::ascii_isprint)) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(variable, " has a character that is not printable ASCII"));
  }
  return absl::OkStatus();
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
  const absl::Status headers = CheckHeaders();
  if (!headers.ok() || !UsesTls()) return headers;
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
  Headers headers = HeadersOf();
  if (!headers.empty()) {
    interceptors.push_back(std::make_unique<HeaderAdders>(std::move(headers)));
  }
  return experimental::CreateCustomChannelWithInterceptors(
      WithPort(server), CredentialsOf(), Arguments(), std::move(interceptors));
}

}  // namespace genzo
