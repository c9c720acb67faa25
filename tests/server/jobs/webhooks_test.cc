#include "server/jobs/webhooks.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/hmac_sha256.h"
#include "openssl/ssl.h"
#include "tests/testing/certificates.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

constexpr char kSecret[] = "a secret of some length";

class WebhooksTest : public ::testing::Test {
 protected:
  WebhooksTest() {
    config_.hosts = {"a.org:443", "b.org:8443"};
    config_.private_hosts = {"b.org:8443"};
    config_.secret_file = folder_.Write("secret", std::string(kSecret) + "\n");
    auto webhooks = Webhooks::Open(
        config_, clock_,
        [this](const HttpsRequest& request) -> absl::StatusOr<int> {
          sent_.push_back(request);
          if (while_sending_) while_sending_();
          return answer_;
        },
        /*threads=*/0,
        {.settled = [this](const std::string& id) { settled_.push_back(id); }});
    EXPECT_THAT(webhooks, IsOk());
    webhooks_ = *std::move(webhooks);
  }

  // How many were sent within `time`.
  size_t SentAfter(absl::Duration time) {
    clock_.Advance(time);
    sent_.clear();
    webhooks_->RunDue();
    return sent_.size();
  }

  const TestFolder folder_;
  FakeClock clock_;
  WebhookConfig config_;
  absl::StatusOr<int> answer_ = 204;
  std::vector<HttpsRequest> sent_;
  std::vector<std::string> settled_;
  std::function<void()> while_sending_;
  std::unique_ptr<Webhooks> webhooks_;
};

TEST_F(WebhooksTest, TellsOnceWithASignature) {
  v1::Job job;
  job.set_id("0123");
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  webhooks_->Send("https://b.org:8443/hook?x=1", job);
  webhooks_->RunDue();
  ASSERT_EQ(sent_.size(), 1u);
  const HttpsRequest& request = sent_[0];
  EXPECT_EQ(request.target.url, "https://b.org:8443/hook?x=1");
  EXPECT_TRUE(request.may_be_private);
  EXPECT_THAT(request.body, HasSubstr("\"state\":\"JOB_STATE_SUCCEEDED\""));
  const std::string signature = absl::BytesToHexString(
      HmacSha256(kSecret, absl::StrCat("1000000.", request.body)));
  EXPECT_THAT(request.headers,
              ::testing::ElementsAre(
                  std::pair("x-genzo-job", "0123"),
                  std::pair("x-genzo-timestamp", "1000000"),
                  std::pair("x-genzo-signature", "v1=" + signature)));
  EXPECT_EQ(SentAfter(absl::Hours(1)), 0u);
}

TEST_F(WebhooksTest, TriesAgainAtGrowingIntervalsThenGivesUp) {
  for (const absl::StatusOr<int>& answer :
       {absl::StatusOr<int>(500), absl::StatusOr<int>(302),
        absl::StatusOr<int>(absl::UnavailableError("nobody"))}) {
    answer_ = answer;
    webhooks_->Send("https://a.org/", {});
    EXPECT_EQ(SentAfter(absl::ZeroDuration()), 1u);
    EXPECT_FALSE(sent_[0].may_be_private);
    for (int seconds : {1, 5, 25, 120, 600}) {
      EXPECT_EQ(SentAfter(absl::Seconds(seconds) - absl::Milliseconds(1)), 0u);
      EXPECT_EQ(SentAfter(absl::Milliseconds(1)), 1u);
    }
    EXPECT_EQ(SentAfter(absl::Hours(24)), 0u);
  }
}

TEST_F(WebhooksTest, TheSecretMayChangeAndEndsAsItDoes) {
  const auto is_signed_with = [this](const std::string& secret) {
    webhooks_->Send("https://a.org/", v1::Job());
    webhooks_->RunDue();
    const auto& headers = sent_.back().headers;
    const std::string signed_text =
        absl::StrCat(headers[1].second, ".", sent_.back().body);
    return headers[2].second ==
           absl::StrCat(
               "v1=", absl::BytesToHexString(HmacSha256(secret, signed_text)));
  };
  EXPECT_TRUE(is_signed_with(kSecret));
  const std::string next = "another secret that ends so \t";
  folder_.Write("secret", next + "\r\n");
  EXPECT_TRUE(is_signed_with(next));
  folder_.Write("secret", "short");
  EXPECT_TRUE(is_signed_with(next));
}

TEST_F(WebhooksTest, SaysOfWhichJobNothingMoreIsSent) {
  v1::Job job;
  job.set_id("taken");
  webhooks_->Send("https://a.org/", job);
  EXPECT_THAT(settled_, ::testing::IsEmpty());
  webhooks_->RunDue();
  EXPECT_THAT(settled_, ::testing::ElementsAre("taken"));
  // As one that an earlier server kept may be.
  job.set_id("of another host");
  webhooks_->Send("https://c.org/", job);
  EXPECT_THAT(settled_, ::testing::ElementsAre("taken", "of another host"));
  job.set_id("in vain");
  answer_ = 500;
  webhooks_->Send("https://a.org/", job);
  for (int seconds : {0, 1, 5, 25, 120}) SentAfter(absl::Seconds(seconds));
  EXPECT_EQ(settled_.size(), 2u);
  SentAfter(absl::Seconds(600));
  EXPECT_EQ(settled_.back(), "in vain");
}

TEST_F(WebhooksTest, WhatIsBrokenOffAtTheEndWaitsForTheNextServer) {
  webhooks_->Send("https://a.org/", {});
  webhooks_->Send("https://b.org:8443/", {});
  answer_ = absl::UnavailableError("broken off");
  for (int seconds : {0, 1, 5, 25, 120}) SentAfter(absl::Seconds(seconds));
  while_sending_ = [this] { webhooks_->EndBy(absl::InfinitePast()); };
  EXPECT_EQ(SentAfter(absl::Seconds(600)), 1u) << "no other one begins";
  EXPECT_EQ(SentAfter(absl::Hours(1)), 0u);
  EXPECT_THAT(settled_, ::testing::IsEmpty());
}

TEST_F(WebhooksTest, WhoSendsWaitsForNobodyWhoIsTold) {
  absl::Notification may_go_on;
  bool was_told = false;
  {
    const auto webhooks = Webhooks::Open(
        config_, clock_,
        [](const HttpsRequest&) -> absl::StatusOr<int> { return 204; },
        /*threads=*/1, {.settled = [&](const std::string&) {
          may_go_on.WaitForNotification();
          was_told = true;
        }});
    ASSERT_THAT(webhooks, IsOk());
    (*webhooks)->Send("https://c.org/", {});  // not allowed: given up
    may_go_on.Notify();
  }
  EXPECT_TRUE(was_told);
}

TEST_F(WebhooksTest, AHostThatDoesNotAnswerKeepsNoOtherWaiting) {
  for (const char* url : {"https://a.org/1", "https://a.org/2",
                          "https://a.org/3", "https://b.org:8443/"}) {
    webhooks_->Send(url, {});
  }
  // While one is sent, another thread looks for more.
  while_sending_ = [this] { webhooks_->RunDue(); };
  webhooks_->RunDue();
  std::vector<std::string> urls;
  for (const HttpsRequest& request : sent_) urls.push_back(request.target.url);
  EXPECT_THAT(urls,
              ::testing::ElementsAre("https://a.org/1", "https://a.org/2",
                                     "https://b.org:8443/", "https://a.org/3"));
}

TEST_F(WebhooksTest, WhereTooManyWaitTheMostTriedGoesFirst) {
  const auto send = [&](const std::string& id, const char* url) {
    v1::Job job;
    job.set_id(id);
    webhooks_->Send(url, job);
  };
  answer_ = 503;
  for (size_t i = 0; i < Webhooks::kMostWaiting; ++i) {
    send(absl::StrCat("dead", i), "https://a.org/");
  }
  webhooks_->RunDue();
  EXPECT_THAT(settled_, ::testing::IsEmpty());
  answer_ = 204;
  send("new", "https://b.org:8443/");
  EXPECT_THAT(settled_, ::testing::ElementsAre("dead0"));
  EXPECT_EQ(SentAfter(absl::ZeroDuration()), 1u);
  EXPECT_EQ(settled_.back(), "new");
}

TEST_F(WebhooksTest, OnlyHostsOfTheConfigurationMayBeNamed) {
  for (const char* url : {"https://a.org", "https://A.org/x?y",
                          "https://a.org:443/", "https://b.org:8443/"}) {
    EXPECT_THAT(Webhooks::Check(url, config_), IsOk()) << url;
  }
  for (const char* url :
       {"", "a.org", "http://a.org/", "https://a.org:444/", "https://b.org/",
        "https://x.a.org/", "https://a.org.evil.org/", "https://u@a.org/",
        "https://a.org:p@evil.org/", "https://a.org/#x", "ftp://a.org/",
        "https://127.0.0.1/", "file:///etc/passwd",
        "https://evil.org\\@a.org/"}) {
    EXPECT_THAT(Webhooks::Check(url, config_),
                StatusIs(absl::StatusCode::kInvalidArgument, "webhook.url"))
        << url;
  }
  EXPECT_THAT(
      Webhooks::Check("https://a.org/" + std::string(2048, 'x'), config_),
      StatusIs(absl::StatusCode::kInvalidArgument, "the limit is 2048"));
}

TEST_F(WebhooksTest, ASecretMustBeThereAndLongEnough) {
  config_.secret_file = folder_.path() + "/nowhere";
  EXPECT_THAT(Webhooks::Open(config_, clock_, PostHttps, 0),
              StatusIs(absl::StatusCode::kNotFound, "webhooks.secret_file"));
  config_.secret_file = folder_.Write("short", "x");
  EXPECT_THAT(Webhooks::Open(config_, clock_, PostHttps, 0),
              StatusIs(absl::StatusCode::kInvalidArgument, "the least is 16"));
}

bool IsPublic(const std::string& text) {
  sockaddr_in four = {};
  four.sin_family = AF_INET;
  if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    return IsPublicAddress(reinterpret_cast<sockaddr*>(&four));
  }
  sockaddr_in6 six = {};
  six.sin6_family = AF_INET6;
  EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &six.sin6_addr), 1) << text;
  return IsPublicAddress(reinterpret_cast<sockaddr*>(&six));
}

TEST(HttpsPostTest, KnowsPublicAddresses) {
  for (const char* address :
       {"1.1.1.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "100.128.0.1",
        "223.255.255.255", "2606:4700::1111", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(IsPublic(address)) << address;
  }
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.0.0.1",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.0.1",
                              "198.18.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fc00::1",
                              "fd12::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::7f00:1",
                              "2002:7f00:1::",
                              "2001:db8::1",
                              "2001::1"}) {
    EXPECT_FALSE(IsPublic(address)) << address;
  }
}

// Answers one https request on this machine with `answer`.
class HttpsHost {
 public:
  HttpsHost(const TestCertificate& certificate, const TestFolder& folder,
            std::string answer)
      : context_(SSL_CTX_new(TLS_server_method())), answer_(std::move(answer)) {
    const std::string cert = folder.Write("host.pem", certificate.certificate);
    const std::string key = folder.Write("host.key", certificate.key);
    SSL_CTX_use_certificate_file(context_, cert.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM);
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        0);
    EXPECT_EQ(listen(socket_, 8), 0);
    socklen_t size = sizeof(address);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { AnswerOne(); });
  }
  ~HttpsHost() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
    SSL_CTX_free(context_);
  }

  int port() const { return port_; }
  int connections() const { return connections_; }
  // Whole once it has been answered.
  std::string request() const {
    const absl::MutexLock lock(&mutex_);
    return request_;
  }

 private:
  void AnswerOne() {
    const int connection = accept(socket_, nullptr, nullptr);
    if (connection < 0) return;
    ++connections_;
    SSL* const ssl = SSL_new(context_);
    SSL_set_fd(ssl, connection);
    if (SSL_accept(ssl) == 1) {
      char buffer[4096];
      std::string request;
      while (request.find("\"x\"") == std::string::npos) {
        const int size = SSL_read(ssl, buffer, sizeof(buffer));
        if (size <= 0) break;
        request.append(buffer, size);
      }
      {
        const absl::MutexLock lock(&mutex_);
        request_ = request;
      }
      SSL_write(ssl, answer_.data(), static_cast<int>(answer_.size()));
      SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(connection);
  }

  SSL_CTX* const context_;
  const std::string answer_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  mutable absl::Mutex mutex_;
  std::string request_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

class PostHttpsTest : public ::testing::Test {
 protected:
  HttpsRequest RequestTo(const HttpsHost& host) const {
    return {.target = *ParseHttpsUrl(
                absl::StrCat("https://localhost:", host.port(), "/hook")),
            .headers = {{"x-genzo-job", "1"}},
            .body = "\"x\"",
            .may_be_private = true,
            .ca_file = ca_};
  }

  const TestFolder folder_;
  const TestAuthority authority_{"authority"};
  const std::string ca_ = folder_.Write("ca.pem", authority_.certificate());
};

TEST_F(PostHttpsTest, PostsToAHostThatItTrusts) {
  const HttpsHost host(authority_.Issue("host"), folder_,
                       "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  const auto code = PostHttps(RequestTo(host));
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(*code, 201);
  EXPECT_THAT(host.request(), HasSubstr("POST /hook HTTP"));
  EXPECT_THAT(host.request(), HasSubstr("x-genzo-job: 1\r\n"));
}

TEST_F(PostHttpsTest, FollowsNoRedirect) {
  const HttpsHost host(
      authority_.Issue("host"), folder_,
      "HTTP/1.1 302 Found\r\nLocation: https://localhost:1/\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(*PostHttps(RequestTo(host)), 302);
}

TEST_F(PostHttpsTest, TellsNothingToAHostThatItDoesNotTrust) {
  const TestAuthority stranger("stranger");
  const HttpsHost host(stranger.Issue("host"), folder_, "");
  EXPECT_THAT(PostHttps(RequestTo(host)),
              StatusIs(absl::StatusCode::kUnavailable, ""));
  EXPECT_EQ(host.request(), "");
}

TEST_F(PostHttpsTest, ConnectsToNoPrivateAddressUnlessItMay) {
  const HttpsHost host(authority_.Issue("host"), folder_, "");
  HttpsRequest request = RequestTo(host);
  request.may_be_private = false;
  EXPECT_THAT(PostHttps(request), StatusIs(absl::StatusCode::kUnavailable, ""));
  EXPECT_EQ(host.connections(), 0);
}

}  // namespace
}  // namespace genzo
