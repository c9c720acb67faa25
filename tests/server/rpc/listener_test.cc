#include "server/rpc/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

// What was accepted.
class Inbox {
 public:
  ~Inbox() {
    for (int descriptor : accepted_) close(descriptor);
  }
  Listener::Accepted Into() {
    return [this](int descriptor) {
      absl::MutexLock lock(&mutex_);
      accepted_.push_back(descriptor);
    };
  }
  void Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return accepted_.size() >= count;
    };
    mutex_.Await(absl::Condition(&there));
  }

 private:
  absl::Mutex mutex_;
  std::vector<int> accepted_ ABSL_GUARDED_BY(mutex_);
};

// A connection to a port of this machine.
class Client {
 public:
  explicit Client(int port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address),
                         sizeof(address)) == 0;
  }
  ~Client() { close(socket_); }

  bool connected() const { return connected_; }
  // Waits until the other side closes it.
  bool IsClosed() const {
    char byte = 0;
    return read(socket_, &byte, 1) <= 0;
  }

 private:
  const int socket_ = socket(AF_INET, SOCK_STREAM, 0);
  bool connected_ = false;
};

constexpr char kAnyPort[] = "127.0.0.1:0";

TEST(ListenerTest, HandsConnectionsOn) {
  const auto listener = Listener::Create(kAnyPort, /*cap=*/1000);
  ASSERT_THAT(listener.status(), IsOk());
  ASSERT_GT((*listener)->port(), 0);
  Inbox inbox;
  (*listener)->Start(inbox.Into());
  const Client one((*listener)->port());
  const Client two((*listener)->port());
  inbox.Await(2);
  (*listener)->Stop();
  EXPECT_FALSE(Client((*listener)->port()).connected());
}

TEST(ListenerTest, SaysWhyAnAddressCannotBeUsed) {
  const auto listener = Listener::Create(kAnyPort, /*cap=*/1000);
  ASSERT_THAT(listener.status(), IsOk());
  const std::string taken = absl::StrCat("127.0.0.1:", (*listener)->port());
  EXPECT_THAT(Listener::Create(taken, 1000).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       taken + " cannot be used: Address already in use"));
  EXPECT_THAT(Listener::Create("no.such.host.invalid:1", 1000).status(),
              StatusIs(absl::StatusCode::kUnavailable, "cannot be used: "));
}

TEST(ListenerTest, ClosesConnectionsAboveTheCap) {
  const auto listener = Listener::Create(kAnyPort, /*cap=*/3);
  ASSERT_THAT(listener.status(), IsOk());
  Inbox inbox;
  (*listener)->Start(inbox.Into());
  const Client client((*listener)->port());  // descriptor 3 is long taken
  EXPECT_TRUE(client.IsClosed());
}

TEST(ListenerTest, AcceptsAgainAfterItRanOutOfDescriptors) {
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const auto listener = Listener::Create(kAnyPort, /*cap=*/1 << 20);
  ASSERT_THAT(listener.status(), IsOk());
  Inbox inbox;
  (*listener)->Start(inbox.Into());
  const Client waits((*listener)->port());
  inbox.Await(1);
  const Client client((*listener)->port());
  // Now none is left: the number of the next one would be above the limit.
  inbox.Await(2);
  const int next = dup(0);
  close(next);
  const rlimit none = {static_cast<rlim_t>(next), before.rlim_max};
  const int late = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(late, next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons((*listener)->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(
      connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(dup(0), -1) << "there is none left";
  setrlimit(RLIMIT_NOFILE, &before);
  inbox.Await(3);
  close(late);
}

TEST(ListenerTest, LeavesDescriptorsForOtherThings) {
  EXPECT_EQ(ConnectionCap(64), 48);
  EXPECT_EQ(ConnectionCap(256), 192);
  EXPECT_EQ(ConnectionCap(1024), 768);
  EXPECT_EQ(ConnectionCap(1 << 20), (1 << 20) - 256);
  EXPECT_EQ(ConnectionCap(8), 1);
  EXPECT_EQ(HttpConnectionCap(1024, 128), 24);
  EXPECT_EQ(HttpConnectionCap(1024, 1 << 20), 1024);
  EXPECT_EQ(HttpConnectionCap(1024, 8), 1);
}

TEST(ListenerTest, RaisesTheLimitToTheHardOne) {
  rlimit before = {};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low = {64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_GT(RaiseDescriptorLimit(), 64);
  rlimit after = {};
  getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, std::min<rlim_t>(before.rlim_max, 1 << 20));
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace genzo
