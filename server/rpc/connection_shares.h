#ifndef GENZO_SERVER_RPC_CONNECTION_SHARES_H_
#define GENZO_SERVER_RPC_CONNECTION_SHARES_H_

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace genzo {

// How many connections the networks at the other ends have, so that none has
// all: of `cap`, half for what one customer is given, an IPv4 address or a /64
// of IPv6, and three quarters for a /48, which a site is given and which has
// 65,536 of those. This machine's own addresses have no share: behind a proxy
// on it everybody has them.
//
// gRPC owns connections and tells nobody when it closes one. So each is known
// by its descriptor and the cookie that the system gives every socket once: of
// kLooks of them, in turn, it is looked whether they are still open, whenever
// one more comes. A network may thus be refused for a while after it has closed
// some. For one thread at a time.
class ConnectionShares {
 public:
  static constexpr int kLooks = 64;

  explicit ConnectionShares(int cap) : cap_(cap) {}

  // Counts a connection that was just accepted from `peer`. False, and not
  // counted, if a network that it is of has its share. On a system that gives
  // no cookies nobody has one.
  bool Take(int descriptor, const sockaddr_storage& peer);

 private:
  struct Connection {
    uint64_t cookie = 0;
    std::vector<std::string> networks;  // that it is of
  };

  // Counts one no more.
  void Drop(Connection& connection);
  void DropClosed();

  const int cap_;
  std::vector<Connection> connections_;  // by descriptor
  std::map<std::string, int> held_;      // by network
  size_t next_look_ = 0;                 // at `connections_`
};

// The networks that share a connection from there: the bytes of an IPv4
// address, or those of an IPv6 one's /64 and /48. None for this machine's own.
// Pure.
std::vector<std::string> NetworksOf(const sockaddr_storage& peer);

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_CONNECTION_SHARES_H_
