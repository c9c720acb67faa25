#include "server/rpc/connection_shares.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace genzo {
namespace {

// Lengths of networks in bytes, which tell them apart, too.
constexpr size_t kAddress = 4;  // of IPv4
constexpr size_t kSite = 6;     // of IPv6
constexpr size_t kCustomer = 8;

int ShareOf(const std::string& network, int cap) {
  const int share = network.size() == kSite ? cap - cap / 4 : cap / 2;
  return std::max(1, share);
}

// The socket's own, as long as the system runs; 0 if there is none.
uint64_t CookieOf(int descriptor) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  const bool is_socket =
      getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0;
  return is_socket ? cookie : 0;
}

}  // namespace

std::vector<std::string> NetworksOf(const sockaddr_storage& peer) {
  std::string bytes;
  if (peer.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(peer);
    bytes.assign(reinterpret_cast<const char*>(&address.sin_addr), kAddress);
  } else if (peer.ss_family == AF_INET6) {
    const in6_addr& address =
        reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
    if (IN6_IS_ADDR_LOOPBACK(&address)) return {};
    bytes.assign(reinterpret_cast<const char*>(&address), sizeof(address));
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      bytes = bytes.substr(sizeof(address) - kAddress);
    }
  }
  if (bytes.size() > kAddress) {
    return {bytes.substr(0, kCustomer), bytes.substr(0, kSite)};
  }
  if (bytes.empty() || bytes[0] == 127) return {};
  return {bytes};
}

bool ConnectionShares::Take(int descriptor, const sockaddr_storage& peer) {
  const auto place = static_cast<size_t>(descriptor);
  if (connections_.size() <= place) connections_.resize(place + 1);
  // Whose number it had is closed.
  Drop(connections_[place]);
  DropClosed();
  std::vector<std::string> networks = NetworksOf(peer);
  for (const std::string& network : networks) {
    const auto held = held_.find(network);
    if (held != held_.end() && held->second >= ShareOf(network, cap_)) {
      return false;
    }
  }
  // Of a system without cookies nobody could say when it is closed.
  const uint64_t cookie = CookieOf(descriptor);
  if (cookie == 0) return true;
  for (const std::string& network : networks) ++held_[network];
  connections_[place] = {.cookie = cookie, .networks = std::move(networks)};
  return true;
}

void ConnectionShares::DropClosed() {
  const auto looks = std::min<size_t>(kLooks, connections_.size());
  for (size_t i = 0; i < looks; ++i) {
    const size_t place = next_look_++ % connections_.size();
    Connection& connection = connections_[place];
    if (connection.networks.empty()) continue;
    if (CookieOf(static_cast<int>(place)) != connection.cookie) {
      Drop(connection);
    }
  }
}

void ConnectionShares::Drop(Connection& connection) {
  for (const std::string& network : connection.networks) {
    const auto held = held_.find(network);
    if (--held->second == 0) held_.erase(held);
  }
  connection = {};
}

}  // namespace genzo
