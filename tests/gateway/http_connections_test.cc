// Which connections a door keeps open, and for whom.

#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gateway/http_peer.h"
#include "tests/gateway/http_server_test.h"
#include "tests/gateway/raw_client.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

TEST(HttpConnectionsTest, TellsOneConnectionTooMany) {
  HttpExchangeRef held;
  absl::Notification asked;
  const auto server = Serve(
      [&](HttpRequest, HttpExchangeRef exchange) {
        held = std::move(exchange);
        asked.Notify();
      },
      {.max_connections = 1});
  RawClient first(server->port());
  first.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  asked.WaitForNotification();
  RawClient second(server->port());
  EXPECT_EQ(second.ReadAnswer().status, 503);
  held->Send({.body = "late"});
  EXPECT_EQ(first.ReadAnswer().body, "late");
}

// Whoever keeps connections that he does not use locks nobody out.
TEST(HttpConnectionsTest, TheConnectionThatRestedLongestMakesRoom) {
  // One thread: an answer that was read is an answer that has ended.
  const auto server =
      HttpServer::Start({.limits = {.max_connections = 3}, .threads = 1}, Echo);
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  RawClient first(port), second(port), third(port);
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
  EXPECT_EQ(second.Ask("GET", "/").status, 200);
  EXPECT_EQ(third.Ask("GET", "/").status, 200);
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
  RawClient fourth(port);
  EXPECT_EQ(fourth.Ask("GET", "/healthz").status, 200);
  EXPECT_TRUE(second.IsClosed());
  RawClient fifth(port);
  EXPECT_EQ(fifth.Ask("GET", "/healthz").status, 200);
  EXPECT_TRUE(third.IsClosed());
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
  EXPECT_EQ(fourth.Ask("GET", "/").status, 200);
}

// A crowd of newcomers would take each other's place.
TEST(HttpConnectionsTest, ConnectionsInTheirGraceTimeMakeNoRoom) {
  const auto server =
      Serve(Echo, {.max_connections = 1, .grace_time = absl::Minutes(1)});
  RawClient first(server->port());
  RawClient second(server->port());
  EXPECT_EQ(second.ReadAnswer().status, 503);
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
}

// The answer to a newcomer, who tries again while the door is full.
RawAnswer AnswerOnceThereIsRoom(int port) {
  const absl::Time last = absl::Now() + absl::Seconds(30);
  RawAnswer answer;
  do {
    RawClient newcomer(port);
    answer = newcomer.Ask("GET", "/healthz");
  } while (answer.status != 200 && absl::Now() < last);
  return answer;
}

constexpr char kHalfABody[] =
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{";

TEST(HttpConnectionsTest, WhoeverSendsNoMoreDoesNotHoldTheDoor) {
  for (const char* bytes : {"", "GET / HTTP/1.1\r\nHost: ", kHalfABody}) {
    const auto server = Serve(Echo, {.max_connections = 3,
                                     .header_time = absl::Minutes(10),
                                     .body_time = absl::Minutes(10),
                                     .grace_time = absl::Milliseconds(20)});
    RawClient first(server->port()), second(server->port()),
        third(server->port());
    for (RawClient* slow : {&first, &second, &third}) slow->Send(bytes);
    EXPECT_EQ(AnswerOnceThereIsRoom(server->port()).status, 200) << bytes;
  }
}

TEST(HttpConnectionsTest, WhoeverSendsFastEnoughKeepsItsPlace) {
  const auto server = Serve(
      Echo, {.max_connections = 1, .grace_time = absl::Milliseconds(300)});
  RawClient first(server->port());
  // Ahead of the least rate by a minute.
  const std::string half(1 << 20, 'x');
  first.Send(absl::StrCat("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ",
                          2 * half.size(), "\r\n\r\n", half));
  const absl::Time end = absl::Now() + absl::Milliseconds(600);
  while (absl::Now() < end) {
    RawClient newcomer(server->port());
    ASSERT_EQ(newcomer.ReadAnswer().status, 503);
  }
  first.Send(half);
  EXPECT_EQ(first.ReadAnswer().status, 200);
}

// The addresses of this machine that tests call from.
constexpr char kCrowd[] = "127.0.0.2";
constexpr char kOther[] = "127.0.0.3";

// Nobody is slow before the end of the test.
HttpLimits Shared(int max_connections, int of_one = 0) {
  return {.max_connections = max_connections,
          .max_connections_per_address = of_one,
          .spares_loopback = false,
          .grace_time = absl::Minutes(10)};
}

TEST(HttpConnectionsTest, OneAddressLeavesPlacesToOthers) {
  const auto server = Serve(Echo, Shared(/*max_connections=*/8));
  std::vector<std::unique_ptr<RawClient>> crowd;
  for (int i = 0; i < 40; ++i) {
    crowd.push_back(std::make_unique<RawClient>(server->port(), kCrowd));
  }
  // They are looked at in the order in which they came.
  const RawAnswer refused = crowd.back()->ReadAnswer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("4 connections are open from 127.0.0.2, "
                                      "the most there may be from one"));
  RawClient first(server->port(), kOther), second(server->port(), kOther);
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
  EXPECT_EQ(second.Ask("GET", "/").status, 200);
  EXPECT_EQ(crowd.front()->Ask("GET", "/").status, 200)
      << "nobody has taken the place of who came first";
}

// One that ends makes room again.
TEST(HttpConnectionsTest, AShareIsOfWhatIsOpen) {
  std::vector<HttpExchangeRef> held(3);
  std::vector<absl::Notification> asked(3);
  // One thread: an answer that was read is an answer that has ended.
  const auto server = HttpServer::Start(
      {.limits = Shared(/*max_connections=*/10, /*of_one=*/2), .threads = 1},
      [&](HttpRequest request, HttpExchangeRef exchange) {
        const int number = std::stoi(request.path.substr(1));
        held[number] = std::move(exchange);
        asked[number].Notify();
      });
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  const auto ask = [&](RawClient& client, int number) {
    client.Send(absl::StrCat("GET /", number, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    asked[number].WaitForNotification();
  };
  RawClient first(port, kCrowd), second(port, kCrowd);
  ask(first, 0);
  ask(second, 1);
  EXPECT_EQ(RawClient(port, kCrowd).ReadAnswer().status, 503);
  held[0]->Send({.body = "done"});
  EXPECT_EQ(first.ReadAnswer().body, "done");
  // Now it rests, and its place is there for the next.
  RawClient third(port, kCrowd);
  ask(third, 2);
  EXPECT_TRUE(first.IsClosed());
  held[1]->Send({});
  held[2]->Send({});
  EXPECT_EQ(second.ReadAnswer().status, 200);
  EXPECT_EQ(third.ReadAnswer().status, 200);
}

TEST(HttpConnectionsTest, WhoHasItsShareTakesNobodyElsesPlace) {
  // One thread: an answer that was read is an answer that has ended.
  const auto server = HttpServer::Start(
      {.limits = Shared(/*max_connections=*/4, /*of_one=*/2), .threads = 1},
      Echo);
  ASSERT_THAT(server, IsOk());
  const int port = (*server)->port();
  RawClient other(port, kOther);
  EXPECT_EQ(other.Ask("GET", "/").status, 200);
  RawClient first(port, kCrowd), second(port, kCrowd);
  EXPECT_EQ(first.Ask("GET", "/").status, 200);
  EXPECT_EQ(second.Ask("GET", "/").status, 200);
  // The other has rested longer than they.
  RawClient third(port, kCrowd);
  EXPECT_EQ(third.Ask("GET", "/").status, 200);
  EXPECT_TRUE(first.IsClosed());
  EXPECT_EQ(other.Ask("GET", "/").status, 200);
}

TEST(HttpConnectionsTest, AProxyOnThisMachineHasNoShare) {
  HttpLimits limits = Shared(/*max_connections=*/4, /*of_one=*/1);
  limits.spares_loopback = true;
  const auto server = Serve(Echo, limits);
  RawClient first(server->port()), second(server->port()),
      third(server->port());
  for (RawClient* client : {&third, &second, &first}) {
    EXPECT_EQ(client->Ask("GET", "/").status, 200);
  }
}

TEST(HttpConnectionsTest, ANetworkIsWhatOneCustomerHas) {
  EXPECT_EQ(PeerOf("203.0.113.7").network, "203.0.113.7");
  EXPECT_EQ(PeerOf("::ffff:203.0.113.7").network, "203.0.113.7");
  EXPECT_EQ(PeerOf("2001:db8:1:2:3:4:5:6").network, "2001:db8:1:2::/64");
  EXPECT_EQ(PeerOf("2001:db8:1:2::").network, "2001:db8:1:2::/64");
  EXPECT_NE(PeerOf("2001:db8:1:3::").network, "2001:db8:1:2::/64");
  EXPECT_EQ(PeerOf("").network, "");
  for (const char* local :
       {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(PeerOf(local).is_loopback) << local;
  }
  for (const char* remote : {"10.0.0.1", "2001:db8::1", "::2", ""}) {
    EXPECT_FALSE(PeerOf(remote).is_loopback) << remote;
  }
}

}  // namespace
}  // namespace genzo
