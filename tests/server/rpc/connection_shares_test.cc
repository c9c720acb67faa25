#include "server/rpc/connection_shares.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

sockaddr_storage From(const std::string& address) {
  sockaddr_storage peer = {};
  if (address.find(':') == std::string::npos) {
    auto& four = reinterpret_cast<sockaddr_in&>(peer);
    four.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &four.sin_addr), 1);
  } else {
    auto& six = reinterpret_cast<sockaddr_in6&>(peer);
    six.sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, address.c_str(), &six.sin6_addr), 1);
  }
  return peer;
}

// Sockets that say they come from anywhere.
class ConnectionSharesTest : public ::testing::Test {
 protected:
  ~ConnectionSharesTest() override {
    while (!open_.empty()) CloseFirst();
  }

  // Whether one more of that address is let in; else it is closed.
  bool Takes(const std::string& address) {
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_GE(descriptor, 0);
    const bool taken = shares_.Take(descriptor, From(address));
    if (taken) {
      open_.push_back(descriptor);
    } else {
      close(descriptor);
    }
    return taken;
  }
  // How many of these addresses in turn are let in until one is not.
  int TakenOf(const std::vector<std::string>& addresses) {
    int taken = 0;
    while (taken < 100 && Takes(addresses[taken % addresses.size()])) ++taken;
    return taken;
  }
  void CloseFirst() {
    close(open_.front());
    open_.erase(open_.begin());
  }

  ConnectionShares shares_{/*cap=*/8};
  std::vector<int> open_;
};

TEST_F(ConnectionSharesTest, AnAddressHasHalf) {
  EXPECT_EQ(TakenOf({"203.0.113.1"}), 4);
  EXPECT_EQ(TakenOf({"::ffff:203.0.113.1"}), 0) << "the same one";
  EXPECT_TRUE(Takes("203.0.113.2"));
}

TEST_F(ConnectionSharesTest, SoHasA64OfIpv6) {
  EXPECT_EQ(TakenOf({"2001:db8::1", "2001:db8::2:2"}), 4);
  EXPECT_TRUE(Takes("2001:db8:0:1::1"));
}

TEST_F(ConnectionSharesTest, A48HasThreeQuarters) {
  EXPECT_EQ(TakenOf({"2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"}),
            6);
  EXPECT_FALSE(Takes("2001:db8:0:4::1"));
  EXPECT_TRUE(Takes("2001:db8:1::1"));
}

TEST_F(ConnectionSharesTest, WhatWasClosedCountsNoMore) {
  EXPECT_EQ(TakenOf({"2001:db8::1"}), 4);
  CloseFirst();
  // Its number is another's now, who is not of that network.
  EXPECT_TRUE(Takes("203.0.113.1"));
  EXPECT_EQ(TakenOf({"2001:db8::1"}), 1);
  // Its number is no connection's now.
  CloseFirst();
  const int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(TakenOf({"2001:db8::1"}), 1);
  close(file);
}

TEST_F(ConnectionSharesTest, WhatWasRefusedDoesNotCount) {
  EXPECT_EQ(TakenOf({"2001:db8:0:1::1"}), 4);
  EXPECT_FALSE(Takes("2001:db8:0:1::1"));
  EXPECT_FALSE(Takes("2001:db8:0:1::1"));
  EXPECT_EQ(TakenOf({"2001:db8:0:2::1"}), 2) << "the rest of the /48's";
}

TEST_F(ConnectionSharesTest, ThisMachineHasNoShare) {
  EXPECT_EQ(TakenOf({"127.0.0.1", "::1", "127.1.2.3", "::ffff:127.0.0.1"}),
            100);
  EXPECT_THAT(NetworksOf(From("::1")), IsEmpty());
  EXPECT_THAT(NetworksOf(From("1.2.3.4")), ElementsAre("\1\2\3\4"));
}

}  // namespace
}  // namespace genzo
