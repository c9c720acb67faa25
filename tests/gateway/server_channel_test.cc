#include "gateway/server_channel.h"

#include "absl/strings/str_cat.h"
#include "base/durable_file.h"
#include "grpcpp/security/server_credentials.h"
#include "tests/gateway/fake_service.h"
#include "tests/testing/certificates.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class ServerChannelTest : public ::testing::Test {
 protected:
  // Serves those who show a certificate of `clients`, everybody without.
  void Serve(const TestAuthority* clients = nullptr) {
    const TestCertificate own = authority_.Issue("server");
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs = {{own.key, own.certificate}};
    if (clients != nullptr) {
      options.pem_root_certs = clients->certificate();
      options.client_certificate_request =
          GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    }
    service_.emplace(grpc::SslServerCredentials(options));
  }

  // The code of a call, each on a connection of its own.
  grpc::StatusCode Call(const ServerTls& tls) {
    const auto channel =
        ConnectToServer(absl::StrCat("127.0.0.1:", service_->port()), tls);
    EXPECT_THAT(channel, IsOk());
    return CallOn(*channel);
  }
  static grpc::StatusCode CallOn(
      const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    v1::ListModelsResponse page;
    return v1::ModelRegistry::NewStub(channel)
        ->ListModels(&context, {}, &page)
        .error_code();
  }

  std::string Write(const std::string& name, const std::string& pem) {
    EXPECT_THAT(WriteDurably(folder_.path() + "/" + name, pem), IsOk());
    return folder_.path() + "/" + name;
  }
  // Of a client with a certificate by `authority`.
  ServerTls Showing(const TestAuthority& authority) {
    const TestCertificate shown = authority.Issue("door");
    return {.ca_file = Write("ca.pem", authority_.certificate()),
            .cert_file = Write("cert.pem", shown.certificate),
            .key_file = Write("key.pem", shown.key)};
  }

  const TestFolder folder_;
  const TestAuthority authority_{"authority"};
  const TestAuthority stranger_{"stranger"};
  std::optional<FakeService> service_;
};

TEST_F(ServerChannelTest, ReachesAServerWhoseAuthorityItTrusts) {
  Serve();
  EXPECT_EQ(Call({.ca_file = Write("ca.pem", authority_.certificate())}),
            grpc::StatusCode::OK);
  for (const ServerTls& wary :
       {ServerTls{}, ServerTls{.ca_file = "system"},
        ServerTls{.ca_file = Write("other.pem", stranger_.certificate())}}) {
    EXPECT_EQ(Call(wary), grpc::StatusCode::UNAVAILABLE) << wary.ca_file;
  }
}

TEST_F(ServerChannelTest, ShowsItsCertificate) {
  Serve(&authority_);
  EXPECT_EQ(Call({.ca_file = Write("ca.pem", authority_.certificate())}),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(Showing(stranger_)), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(Showing(authority_)), grpc::StatusCode::OK);
}

TEST_F(ServerChannelTest, TrustsANewAuthorityWithoutANewStart) {
  Serve();
  const std::string ca = Write("ca.pem", stranger_.certificate());
  const auto channel = ConnectToServer(
      absl::StrCat("127.0.0.1:", service_->port()), {.ca_file = ca});
  ASSERT_THAT(channel, IsOk());
  EXPECT_EQ(CallOn(*channel), grpc::StatusCode::UNAVAILABLE);
  Write("ca.pem", authority_.certificate());
  // gRPC looks every second, and tries again in its own time.
  while (CallOn(*channel) != grpc::StatusCode::OK) {
  }
}

TEST_F(ServerChannelTest, BadFilesAreSaidAtTheStart) {
  const auto says = [](const ServerTls& tls, const std::string& what) {
    EXPECT_THAT(
        ConnectToServer("127.0.0.1:1", tls),
        ::testing::AnyOf(StatusIs(absl::StatusCode::kFailedPrecondition, what),
                         StatusIs(absl::StatusCode::kInvalidArgument, what)));
  };
  says({.ca_file = "/nowhere.pem"}, "--server-ca /nowhere.pem");
  ServerTls tls = Showing(authority_);
  tls.key_file = Write("other.pem", authority_.Issue("other").key);
  says(tls, "is not the key of");
  tls.key_file = "";
  says(tls, "--server-cert and --server-key need each other");
  tls = Showing(authority_);
  tls.ca_file = "";
  says(tls, "--server-cert needs --server-ca");
}

}  // namespace
}  // namespace genzo
