#include "server/rpc/door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "tests/server/own_services.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

// Of HTTP/2; kClosed when the connection is.
enum FrameType {
  kClosed = -1,
  kData = 0,
  kHeaders = 1,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7
};
constexpr int kAck = 1;
constexpr int kEndStream = 1;
constexpr int kEndHeaders = 4;

struct RawFrame {
  int type = kClosed;
  int flags = 0;
  uint32_t stream = 0;
  std::string payload = {};
};

// A client by hand, that says and answers only what it is told to. Waits for
// the server without end: what does not come, fails by the test's time limit.
class RawPeer {
 public:
  explicit RawPeer(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address),
                      sizeof(address)),
              0);
  }
  ~RawPeer() { close(socket_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  // Of a closed connection nothing is said: reading tells.
  void Send(const std::string& bytes) const {
    (void)send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  static std::string Frame(FrameType type, int flags, uint32_t stream,
                           const std::string& payload) {
    std::string bytes;
    const auto put = [&bytes](uint32_t value, int size) {
      while (size-- > 0) bytes += static_cast<char>(value >> 8 * size);
    };
    put(static_cast<uint32_t>(payload.size()), 3);
    put(type, 1);
    put(static_cast<uint32_t>(flags), 1);
    put(stream, 4);
    return bytes + payload;
  }
  static std::string Hello() {
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0, "");
  }
  // Stream 1 watches the health of the whole server.
  static std::string WatchHealth() {
    std::string block;
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>{":method", "POST"},
          {":scheme", "http"},
          {":path", "/grpc.health.v1.Health/Watch"},
          {":authority", "test"},
          {"content-type", "application/grpc"},
          {"te", "trailers"}}) {
      block += '\0';  // literal, without an index
      block += static_cast<char>(name.size());
      block += name;
      block += static_cast<char>(value.size());
      block += value;
    }
    return Frame(kHeaders, kEndHeaders, 1, block) +
           Frame(kData, kEndStream, 1, std::string(5, '\0'));
  }

  // The next frame of `type`, or the connection's end; answers pings on the way
  // if it `answers`.
  RawFrame Await(FrameType type, bool answers = true) const {
    while (true) {
      RawFrame frame = Next();
      if (frame.type == kPing && frame.flags != kAck && answers) {
        Send(Frame(kPing, kAck, 0, frame.payload));
      }
      if (frame.type == type || frame.type == kClosed) return frame;
    }
  }

 private:
  bool Read(char* bytes, size_t size) const {
    return recv(socket_, bytes, size, MSG_WAITALL) ==
           static_cast<ssize_t>(size);
  }
  RawFrame Next() const {
    unsigned char head[9];
    if (!Read(reinterpret_cast<char*>(head), sizeof(head))) return {};
    RawFrame frame = {.type = head[3], .flags = head[4]};
    for (int i = 5; i < 9; ++i) frame.stream = frame.stream << 8 | head[i];
    frame.payload.resize(size_t{head[0]} << 16 | head[1] << 8 | head[2]);
    const bool whole = Read(frame.payload.data(), frame.payload.size());
    return whole ? frame : RawFrame();
  }

  const int socket_;
};

class DoorTest : public ::testing::Test {
 protected:
  void Open(const DoorOptions& options) {
    auto door = Door::Create("127.0.0.1:0", options, {&service_});
    ASSERT_THAT(door.status(), IsOk());
    door_ = *std::move(door);
    door_->SetServing(true, {});
    door_->Open();
  }
  std::string Address() const {
    return absl::StrCat("127.0.0.1:", door_->port());
  }
  void TearDown() override { door_->Shutdown(absl::UnixEpoch()); }

  v1::ModelRegistry::CallbackService service_;
  std::unique_ptr<Door> door_;
};

TEST_F(DoorTest, AsksSilentConnectionsWhetherTheyLive) {
  Open({.times = {.ping_after = absl::Milliseconds(1)}});
  const RawPeer peer(door_->port());
  peer.Send(RawPeer::Hello());
  for (int ping = 0; ping < 2; ++ping) {
    const RawFrame asked = peer.Await(kPing);
    EXPECT_EQ(asked.type, kPing);
    EXPECT_EQ(asked.flags, 0);
  }
}

TEST_F(DoorTest, ClosesThoseThatDoNotAnswer) {
  Open({.reader_timeout = absl::Milliseconds(1),
        .times = {.ping_after = absl::Milliseconds(1)}});
  const RawPeer peer(door_->port());
  peer.Send(RawPeer::Hello());
  ASSERT_EQ(peer.Await(kPing, /*answers=*/false).type, kPing);
  EXPECT_EQ(peer.Await(kClosed, /*answers=*/false).type, kClosed);
}

TEST_F(DoorTest, ClosesThoseThatNeverSayAWord) {
  Open({.times = {.handshake = absl::Milliseconds(1)}});
  const RawPeer peer(door_->port());
  EXPECT_EQ(peer.Await(kClosed).type, kClosed);
}

TEST_F(DoorTest, SendsAwayThoseWhoPingTooOften) {
  Open({});
  const RawPeer peer(door_->port());
  std::string pings;
  for (int i = 0; i < 8; ++i) {
    pings += RawPeer::Frame(kPing, 0, 0, std::string(8, 'p'));
  }
  peer.Send(RawPeer::Hello() + pings);
  EXPECT_THAT(peer.Await(kGoAway).payload, HasSubstr("too_many_pings"));
  EXPECT_EQ(peer.Await(kClosed).type, kClosed);
}

TEST_F(DoorTest, ForgivesThoseWhoPingSlowlyThoughTheyHaveNoCalls) {
  Open({.times = {.client_pings = absl::ZeroDuration()}});
  const RawPeer peer(door_->port());
  peer.Send(RawPeer::Hello());
  for (int i = 0; i < 8; ++i) {
    const std::string text = absl::StrCat("ping-00", i);
    peer.Send(RawPeer::Frame(kPing, 0, 0, text));
    const RawFrame answer = peer.Await(kPing);
    EXPECT_EQ(answer.flags, kAck);
    EXPECT_EQ(answer.payload, text);
  }
}

TEST_F(DoorTest, SendsOldConnectionsAwayAndLetsTheirCallsGoOn) {
  Open({.times = {.age = absl::Milliseconds(1)}});
  const RawPeer peer(door_->port());
  // Its end is decided once it has answered a ping, which comes after this.
  peer.Send(RawPeer::Hello() + RawPeer::WatchHealth());
  const RawFrame away = peer.Await(kGoAway);
  ASSERT_EQ(away.type, kGoAway);
  EXPECT_EQ(away.payload.substr(0, 4), "\x7f\xff\xff\xff")
      << "it may still begin calls";
  const RawFrame last = peer.Await(kGoAway);
  ASSERT_EQ(last.type, kGoAway);
  EXPECT_EQ(last.payload.substr(0, 4), std::string("\0\0\0\1", 4))
      << "no call after the first, which counts";
  door_->SetServing(false, {});
  const std::string not_serving("\0\0\0\0\2\x08\2", 7);
  RawFrame told = peer.Await(kData);
  while (told.type == kData && told.payload != not_serving) {
    told = peer.Await(kData);
  }
  EXPECT_EQ(told.type, kData) << "the call goes on";
}

TEST_F(DoorTest, SaysWhichServicesThereAre) {
  Open({});
  const auto services = ListServices(Address());
  ASSERT_THAT(services, IsOk());
  EXPECT_THAT(*services, HasSubstr("genzo.v1.ModelRegistry"));
}

TEST_F(DoorTest, KeepsWhatServicesThereAreToItself) {
  Open({.reflection = false});
  EXPECT_THAT(ListServices(Address()), StatusIs(kUnimplemented, ""));
  EXPECT_THAT(AskHealth(Address()), IsOk()) << "which stays";
}

TEST_F(DoorTest, ChannelzIsAtNoDoorThatDoesNotNameIt) {
  // After it gRPC would put the service into every server of the process.
  auto other = Door::Create("127.0.0.1:0", {.channelz = true}, {});
  ASSERT_THAT(other.status(), IsOk());
  (*other)->Open();
  Open({});
  EXPECT_THAT(AskChannelz(Address()), StatusIs(kUnimplemented, ""));
  EXPECT_THAT(AskChannelz(absl::StrCat("127.0.0.1:", (*other)->port())),
              IsOk());
  (*other)->Shutdown(absl::UnixEpoch());
}

TEST_F(DoorTest, BreaksCallsOffThatGoOnForTooLong) {
  Open({.times = {.age = absl::Milliseconds(1),
                  .age_grace = absl::Milliseconds(1)}});
  const RawPeer peer(door_->port());
  peer.Send(RawPeer::Hello() + RawPeer::WatchHealth());
  EXPECT_EQ(peer.Await(kClosed).type, kClosed);
}

}  // namespace
}  // namespace genzo
