#include "client/connection.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

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
  const std::string ca = FromEnvironment("GENZO_CA_FILE");
  if (ca.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  if (ca != "system") options.pem_root_certs = Contents(ca) + "\n";
  const std::string cert = FromEnvironment("GENZO_CERT_FILE");
  if (!cert.empty()) {
    options.pem_cert_chain = Contents(cert);
    options.pem_private_key = Contents(FromEnvironment("GENZO_CERT_KEY_FILE"));
  }
  return grpc::SslCredentials(options);
}

}  // namespace

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  std::vector<std::unique_ptr<experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  const std::string key = FromEnvironment("GENZO_API_KEY");
  if (!key.empty()) interceptors.push_back(std::make_unique<KeyAdders>(key));
  return experimental::CreateCustomChannelWithInterceptors(
      server, CredentialsOf(), grpc::ChannelArguments(),
      std::move(interceptors));
}

}  // namespace genzo
