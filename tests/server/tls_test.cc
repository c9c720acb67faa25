// TLS over a socket, and certificates that change under it.

#include <filesystem>

#include "base/durable_file.h"
#include "grpcpp/security/credentials.h"
#include "tests/testing/certificates.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TlsTest : public ::testing::Test {
 protected:
  void Replace(const TestCertificate& certificate) {
    ASSERT_THAT(WriteDurably(tls_.key_file, certificate.key), IsOk());
    ASSERT_THAT(WriteDurably(tls_.cert_file, certificate.certificate), IsOk());
  }

  void Start() {
    rig_ = std::make_unique<FrontEndRig>(FrontEndOptions{.tls = tls_});
    ASSERT_THAT(rig_->started(), IsOk());
  }

  // The code of a call of a client that trusts `authority`, and shows
  // `certificate` if it has one; on a connection of its own.
  grpc::StatusCode Call(const TestAuthority& authority,
                        const TestCertificate& certificate = {}) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority.certificate();
    options.pem_cert_chain = certificate.certificate;
    options.pem_private_key = certificate.key;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(
        rig_->address(), grpc::SslCredentials(options), arguments);
    grpc::ClientContext context;
    v1::ListModelsResponse page;
    return v1::ModelRegistry::NewStub(channel)
        ->ListModels(&context, {}, &page)
        .error_code();
  }

  const TestFolder folder_;
  const TestAuthority authority_{"authority"};
  const TestAuthority stranger_{"stranger"};
  TlsConfig tls_ = {.cert_file = folder_.path() + "/cert.pem",
                    .key_file = folder_.path() + "/key.pem"};
  std::unique_ptr<FrontEndRig> rig_;
};

TEST_F(TlsTest, ServesThoseWhoTrustIt) {
  Replace(authority_.Issue("server"));
  Start();
  EXPECT_EQ(Call(authority_), grpc::StatusCode::OK);
  EXPECT_EQ(Call(stranger_), grpc::StatusCode::UNAVAILABLE);
  // Nobody is served in the open.
  grpc::ClientContext context;
  v1::ListModelsResponse page;
  EXPECT_EQ(v1::ModelRegistry::NewStub(rig_->Channel())
                ->ListModels(&context, {}, &page)
                .error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, ClientsMustShowACertificateIfItSaysSo) {
  Replace(authority_.Issue("server"));
  tls_.client_ca_file = folder_.Write("ca.pem", authority_.certificate());
  Start();
  EXPECT_EQ(Call(authority_), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(authority_, stranger_.Issue("client")),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(authority_, authority_.Issue("client")), grpc::StatusCode::OK);
}

TEST_F(TlsTest, NewCertificatesAreTakenOver) {
  Replace(authority_.Issue("server"));
  Start();
  ASSERT_EQ(Call(authority_), grpc::StatusCode::OK);
  Replace(stranger_.Issue("server"));
  // The files are looked at every second; a call that fails connects anew.
  while (Call(stranger_) != grpc::StatusCode::OK) {
  }
  EXPECT_EQ(Call(authority_), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, FilesOfNoUseLeaveTheCertificateAsItWas) {
  const TestCertificate own = authority_.Issue("server");
  Replace(own);
  Start();
  const auto stays_with = [&](const std::string& what,
                              const std::string& text) {
    ASSERT_THAT(WriteDurably(tls_.cert_file, text), IsOk());
    EXPECT_THAT(rig_->front_end().Sweep(), ElementsAre("certificate")) << what;
    EXPECT_EQ(Call(authority_), grpc::StatusCode::OK) << what;
  };
  const std::string other = stranger_.Issue("server").certificate;
  stays_with("garbage", "garbage");
  stays_with("a certificate whose key is not there yet", other);
  stays_with("half a chain",
             own.certificate + other.substr(0, other.size() / 2));
  std::filesystem::remove(tls_.cert_file);
  EXPECT_THAT(rig_->front_end().Sweep(), ElementsAre("certificate"));
  EXPECT_EQ(Call(authority_), grpc::StatusCode::OK);
  Replace(own);
  EXPECT_THAT(rig_->front_end().Sweep(), IsEmpty());
  EXPECT_EQ(Call(authority_), grpc::StatusCode::OK);
  Replace(stranger_.Issue("server"));
  EXPECT_THAT(rig_->front_end().Sweep(), IsEmpty());
  EXPECT_EQ(Call(stranger_), grpc::StatusCode::OK);
}

TEST_F(TlsTest, AuthoritiesOfNoUseLeaveThoseOfBefore) {
  Replace(authority_.Issue("server"));
  tls_.client_ca_file = folder_.Write("ca.pem", authority_.certificate());
  Start();
  const TestCertificate client = authority_.Issue("client");
  ASSERT_THAT(WriteDurably(tls_.client_ca_file, "garbage"), IsOk());
  EXPECT_THAT(rig_->front_end().Sweep(), ElementsAre("certificate"));
  EXPECT_EQ(Call(authority_, client), grpc::StatusCode::OK);
  ASSERT_THAT(WriteDurably(tls_.client_ca_file, stranger_.certificate()),
              IsOk());
  EXPECT_THAT(rig_->front_end().Sweep(), IsEmpty());
  EXPECT_EQ(Call(authority_, client), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(authority_, stranger_.Issue("client")), grpc::StatusCode::OK);
}

TEST_F(TlsTest, BadFilesAreSaidAtTheStart) {
  const auto says = [&](const std::string& what) {
    const FrontEndRig rig(FrontEndOptions{.tls = tls_});
    EXPECT_THAT(rig.started(),
                StatusIs(absl::StatusCode::kFailedPrecondition, what));
  };
  says("tls.cert_file");
  Replace(authority_.Issue("server"));
  const TestCertificate other = authority_.Issue("other");
  folder_.Write("key.pem", other.key);
  says("is not the key of");
  folder_.Write("key.pem", "no key");
  says("tls.key_file");
  Replace(authority_.Issue("server"));
  tls_.client_ca_file = folder_.path() + "/nowhere.pem";
  says("tls.client_ca_file");
}

}  // namespace
}  // namespace genzo
