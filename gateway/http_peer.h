#ifndef GENZO_GATEWAY_HTTP_PEER_H_
#define GENZO_GATEWAY_HTTP_PEER_H_

#include <string>

namespace genzo {

// Who is at the other end of a connection, as far as its address tells.
struct HttpPeer {
  // What one customer is given: an IPv4 address, or 64 bits of an IPv6 one,
  // "2001:db8::/64". Empty if the address is none.
  std::string network;
  bool is_loopback = false;  // on this machine, where a proxy may be
};

// Of an address as text. IPv4 addresses within IPv6 are IPv4's. Pure.
HttpPeer PeerOf(const std::string& address);

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_PEER_H_
