#include "gateway/http_peer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "boost/asio/ip/address.hpp"

namespace genzo {

namespace ip = boost::asio::ip;

HttpPeer PeerOf(const std::string& address) {
  constexpr int kNetworkBytes = 8;
  boost::system::error_code error;
  ip::address parsed = ip::make_address(address, error);
  if (error) return {};
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped()) {
    parsed = ip::make_address_v4(ip::v4_mapped, parsed.to_v6());
  }
  if (parsed.is_v4() || parsed.is_loopback()) {
    return {.network = parsed.to_string(), .is_loopback = parsed.is_loopback()};
  }
  ip::address_v6::bytes_type bytes = parsed.to_v6().to_bytes();
  std::fill(bytes.begin() + kNetworkBytes, bytes.end(), 0);
  return {.network = absl::StrCat(ip::address_v6(bytes).to_string(), "/64")};
}

}  // namespace genzo
