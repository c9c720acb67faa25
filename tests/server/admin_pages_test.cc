#include "server/admin_pages.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AdminPagesTest : public ::testing::Test {
 protected:
  AdminPagesTest() {
    auto pages = AdminPages::Serve("127.0.0.1:0", metrics_, readiness_);
    EXPECT_THAT(pages, IsOk());
    pages_ = *std::move(pages);
  }

  int Connect() const {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(pages_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(connection, reinterpret_cast<sockaddr*>(&address),
                      sizeof(address)),
              0);
    return connection;
  }

  // The whole answer.
  std::string Get(const std::string& path) const { return Ask("GET", path); }
  // What of it comes within `patience`, if that is not zero.
  std::string Ask(const std::string& method, const std::string& path,
                  const timeval& patience = {}) const {
    const int connection = Connect();
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof(patience));
    const std::string request =
        method + " " + path +
        " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(write(connection, request.data(), request.size()),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t size; (size = read(connection, buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, size);
    }
    close(connection);
    return answer;
  }

  Metrics metrics_;
  Readiness readiness_{[](bool) {}};
  std::unique_ptr<AdminPages> pages_;
};

TEST_F(AdminPagesTest, ProbesTellReadinessWithItsReason) {
  EXPECT_THAT(Get("/livez"), HasSubstr("HTTP/1.1 200 OK"));
  const std::string head = Ask("HEAD", "/livez");
  EXPECT_THAT(head, HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(head, Not(HasSubstr("ok\n")));
  EXPECT_THAT(Get("/startupz"), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("no model is in memory yet"));
  readiness_.ModelLoaded();
  EXPECT_THAT(Get("/startupz"), HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("HTTP/1.1 200 OK"));
  readiness_.Stalled("no step for 60 s while 2 jobs wait or run");
  EXPECT_THAT(Get("/readyz"), HasSubstr("HTTP/1.1 503"));
  EXPECT_THAT(Get("/readyz"), HasSubstr("no step for 60 s"));
  EXPECT_THAT(Get("/startupz"), HasSubstr("HTTP/1.1 200 OK"));
  EXPECT_THAT(Get("/livez"), HasSubstr("HTTP/1.1 200 OK"));
}

TEST_F(AdminPagesTest, CallersThatSayNothingKeepNobodyOut) {
  std::vector<int> silent;
  // Many more than there are threads.
  for (int i = 0; i < 300; ++i) silent.push_back(Connect());
  constexpr timeval kProbe = {.tv_sec = 5,
                              .tv_usec = 0};  // Kubernetes' patience
  EXPECT_THAT(Ask("GET", "/livez", kProbe), HasSubstr("HTTP/1.1 200 OK"));
  for (const int connection : silent) {
    char byte = 0;
    EXPECT_LE(read(connection, &byte, 1), 0) << "it is given up";
    close(connection);
  }
}

TEST_F(AdminPagesTest, FiguresAreInPrometheusFormat) {
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, HasSubstr("version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("# TYPE genzo_queue_oldest_age_seconds gauge"));
  EXPECT_THAT(Get("/other"), HasSubstr("HTTP/1.1 404"));
}

TEST_F(AdminPagesTest, SaysWhichAddressCannotBeUsed) {
  EXPECT_THAT(AdminPages::Serve("not-an-address", metrics_, readiness_),
              StatusIs(absl::StatusCode::kUnavailable, "not-an-address"));
  const std::string taken = "127.0.0.1:" + std::to_string(pages_->port());
  EXPECT_THAT(AdminPages::Serve(taken, metrics_, readiness_),
              StatusIs(absl::StatusCode::kUnavailable, taken));
}

// What Civetweb has accepted when it ends, nobody answers.
TEST_F(AdminPagesTest, ItsEndWaitsForNoCaller) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(AdminPages::Serve("127.0.0.1:0", metrics_, readiness_), IsOk());
  }
}

TEST_F(AdminPagesTest, GivesItsAddressBack) {
  for (const char* host : {"127.0.0.1:", "0.0.0.0:", "[::1]:"}) {
    auto pages =
        AdminPages::Serve(absl::StrCat(host, "0"), metrics_, readiness_);
    if (!pages.ok()) continue;  // a machine without IPv6
    const std::string address = absl::StrCat(host, (*pages)->port());
    pages->reset();
    EXPECT_THAT(AdminPages::Serve(address, metrics_, readiness_), IsOk());
  }
}

}  // namespace
}  // namespace genzo
