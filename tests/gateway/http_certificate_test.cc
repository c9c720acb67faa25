// The door's own certificate and those of its clients, files that change under
// it.

#include "gateway/http_certificate.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/http_server.h"
#include "openssl/pem.h"
#include "openssl/ssl.h"
#include "tests/testing/certificates.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using Session = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

Bio Pem(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
          BIO_free_all};
}

void Show(const TestCertificate& shown, SSL_CTX* context) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(Pem(shown.certificate).get(), nullptr, nullptr,
                        nullptr),
      X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(Pem(shown.key).get(), nullptr, nullptr, nullptr),
      EVP_PKEY_free);
  ASSERT_EQ(SSL_CTX_use_certificate(context, certificate.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context, key.get()), 1);
}

// What a client of TLS is told by a server.
struct Seen {
  std::string subject;      // of the server's certificate
  int status = 0;           // of its answer; 0: none came
  bool is_resumed = false;  // the client was known
  Session session{nullptr, SSL_SESSION_free};
};

// What the server on `port` tells a client that has `shown`, if that has a key,
// and was there before in `session`, if that is one.
Seen Ask(int port, const TestCertificate& shown = {},
         SSL_SESSION* session = nullptr) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
      SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!shown.key.empty()) Show(shown, context.get());
  const Bio connection(BIO_new_ssl_connect(context.get()), BIO_free_all);
  BIO_set_conn_hostname(connection.get(),
                        absl::StrCat("127.0.0.1:", port).c_str());
  SSL* ssl = nullptr;
  BIO_get_ssl(connection.get(), &ssl);
  if (session != nullptr) SSL_set_session(ssl, session);
  Seen seen;
  if (BIO_do_handshake(connection.get()) <= 0) return seen;
  char bytes[1024] = {};
  X509_NAME_get_text_by_NID(
      X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName,
      bytes, sizeof(bytes));
  seen.subject = bytes;
  // TLS 1.3 tells a client that it is refused when it reads. Not to the end,
  // because a session whose connection broke off is not taken up again.
  BIO_puts(connection.get(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const int count = BIO_read(connection.get(), bytes, sizeof(bytes));
  if (count > 12) seen.status = std::atoi(bytes + 9);
  seen.is_resumed = SSL_session_reused(ssl) == 1;
  seen.session.reset(SSL_get1_session(ssl));
  return seen;
}

class HttpCertificateTest : public ::testing::Test {
 protected:
  // Who writes to a server that has closed the connection is no fault.
  HttpCertificateTest() { signal(SIGPIPE, SIG_IGN); }

  // As others replace files: whole, by renaming.
  std::string Put(const std::string& name, const std::string& text) const {
    const std::string path = absl::StrCat(folder_.path(), "/", name);
    std::filesystem::rename(folder_.Write("new", text), path);
    return path;
  }

  absl::StatusOr<std::unique_ptr<HttpServer>> Start() const {
    return HttpServer::Start(
        options_, [](HttpRequest, HttpExchangeRef exchange) {
          exchange->Send({.content_type = "text/plain", .body = "ok"});
        });
  }

  const TestFolder folder_;
  const TestAuthority authority_{"authority"};
  const TestAuthority stranger_{"stranger"};
  const TestCertificate own_ = authority_.Issue("own");
  const TestCertificate client_ = authority_.Issue("client");
  HttpServerOptions options_ = {
      .tls = {.certificate = Put("cert.pem", own_.certificate),
              .key = Put("key.pem", own_.key)}};
};

TEST_F(HttpCertificateTest, OneThatIsReplacedIsShownToTheNextClient) {
  const auto server = Start();
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  EXPECT_EQ(Ask(port).subject, "own");
  const TestCertificate renewed = authority_.Issue("renewed");
  Put("cert.pem", renewed.certificate);
  EXPECT_EQ(Ask(port).subject, "own") << "its key is not there yet";
  Put("key.pem", renewed.key);
  EXPECT_EQ(Ask(port).subject, "renewed");
  Put("key.pem", "damaged");
  EXPECT_EQ(Ask(port).subject, "renewed");
}

TEST_F(HttpCertificateTest, TellsWhetherTheFilesAreInForceAndTheirExpiry) {
  const auto certificate = HttpCertificate::Open(options_.tls);
  ASSERT_THAT(certificate, IsOk());
  EXPECT_TRUE((*certificate)->State().in_force);
  EXPECT_LT((*certificate)->State().expiry, absl::Now() + absl::Hours(2));
  Put("cert.pem", "damaged");
  EXPECT_FALSE((*certificate)->State().in_force);
  EXPECT_FALSE((*certificate)->State().in_force) << "it is not mended yet";
  EXPECT_LT((*certificate)->State().expiry, absl::Now() + absl::Hours(2));
  std::filesystem::remove(Put("cert.pem", own_.certificate));
  EXPECT_FALSE((*certificate)->State().in_force);
  Put("cert.pem", own_.certificate);
  EXPECT_TRUE((*certificate)->State().in_force);
}

TEST_F(HttpCertificateTest, ClientsNeedNoneUnlessAnAuthorityIsNamed) {
  const auto server = Start();
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ(Ask((*server)->port()).status, 200);
}

TEST_F(HttpCertificateTest, OnlyClientsOfTheAuthorityAreAnswered) {
  options_.tls.client_ca = Put("ca.pem", authority_.certificate());
  const auto server = Start();
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  EXPECT_EQ(Ask(port, client_).status, 200);
  EXPECT_EQ(Ask(port).status, 0);
  EXPECT_EQ(Ask(port, stranger_.Issue("client")).status, 0);
}

TEST_F(HttpCertificateTest, AClientThatWasThereTakesUpItsSession) {
  options_.tls.client_ca = Put("ca.pem", authority_.certificate());
  const auto server = Start();
  ASSERT_THAT(server, IsOk());
  const Seen first = Ask((*server)->port(), client_);
  EXPECT_FALSE(first.is_resumed);
  const Seen again = Ask((*server)->port(), client_, first.session.get());
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.is_resumed);
}

TEST_F(HttpCertificateTest, AnotherAuthorityHoldsForTheNextClient) {
  options_.tls.client_ca = Put("ca.pem", authority_.certificate());
  const auto server = Start();
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  Put("ca.pem", "damaged");
  const Seen before = Ask(port, client_);
  EXPECT_EQ(before.status, 200);
  Put("ca.pem", stranger_.certificate());
  EXPECT_EQ(Ask(port, client_).status, 0);
  EXPECT_EQ(Ask(port, client_, before.session.get()).status, 0)
      << "a session must not outlive who vouched for it";
  EXPECT_EQ(Ask(port, stranger_.Issue("client")).status, 200);
  // Both, while clients go from one to the other.
  Put("ca.pem", authority_.certificate() + stranger_.certificate());
  EXPECT_EQ(Ask(port, client_).status, 200);
  EXPECT_EQ(Ask(port, stranger_.Issue("client")).status, 200);
}

TEST_F(HttpCertificateTest, AnAuthorityThatCannotBeReadIsSaidAtTheStart) {
  for (const std::string& bad :
       {Put("none.pem", "no certificate"), folder_.path() + "/nowhere.pem"}) {
    options_.tls.client_ca = bad;
    EXPECT_THAT(Start(), StatusIs(absl::StatusCode::kInvalidArgument,
                                  "http.client_ca_file " + bad));
  }
}

}  // namespace
}  // namespace genzo
