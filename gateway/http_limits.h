#ifndef GENZO_GATEWAY_HTTP_LIMITS_H_
#define GENZO_GATEWAY_HTTP_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace genzo {

// What a connection may cost. Numbers of the configuration are in
// base/config.h; these hold everywhere.
struct HttpLimits {
  // One more takes the place of one that waits for another request, or of one
  // that is read too slowly, or is told 503.
  int max_connections = 1024;
  // Of one address, or one /64 of IPv6. One more of it takes the place of
  // another of the same, as above, or is told 503: one address that opens 1,024
  // sockets a second leaves the other half to others. 0: half of
  // max_connections.
  int max_connections_per_address = 0;
  // This machine's own addresses have no share: behind a proxy on it everybody
  // has them. Tests have no other addresses.
  bool spares_loopback = true;
  size_t max_header_bytes = 16 << 10;
  int64_t max_body_bytes = int64_t{48} << 20;
  // Of all bodies that are being read.
  int64_t max_bodies_bytes = int64_t{512} << 20;
  // From connecting, or from a request's first byte, to the end of its header.
  absl::Duration header_time = absl::Seconds(10);
  // For a body; a client on a slow line has this and no more.
  absl::Duration body_time = absl::Minutes(2);
  // While all connections are open, the one longest in reading gives its place
  // to a newcomer, unless it is in its first `grace_time` or has sent this much
  // of its body a second since. 20 sockets that send a byte each and wait hold
  // 20 places for a second, not for body_time. Connecting, header and body have
  // a grace time each.
  absl::Duration grace_time = absl::Seconds(1);
  int64_t least_bytes_per_second = 16 << 10;
  // Between two requests of a connection.
  absl::Duration idle_time = absl::Seconds(75);
  // For the client to take anything at all of what is being sent.
  absl::Duration write_time = absl::Seconds(30);
  // Between two comments on a silent stream.
  absl::Duration keepalive_time = absl::Seconds(15);
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_LIMITS_H_
