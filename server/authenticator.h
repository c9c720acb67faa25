#ifndef GENZO_SERVER_AUTHENTICATOR_H_
#define GENZO_SERVER_AUTHENTICATOR_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// What a call says of itself, whatever brought it.
struct CallFacts {
  std::multimap<std::string, std::string> metadata = {};  // keys in lower case
  // As gRPC writes it: "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711", "unix:".
  std::string peer = {};
};

// Who calls, and what they may do.
struct Caller {
  std::string tenant = {};  // empty: the common one
  bool may_administer = false;
};

// Tells callers apart. Asked at the head of every call. Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // INVALID_ARGUMENT for metadata that make no sense; an implementation that
  // checks keys answers UNAUTHENTICATED.
  virtual absl::StatusOr<Caller> Authenticate(const CallFacts& call) const = 0;
};

// Believes the metadata `x-genzo-tenant`. `admin_api` says who may administer:
// "loopback" (callers from this machine), "open" (all) or "off" (none).
std::unique_ptr<Authenticator> MakeTrustingAuthenticator(
    const std::string& admin_api);

// OK if the caller may administer, else PERMISSION_DENIED/NOT_AN_ADMINISTRATOR.
absl::Status CheckAdministrator(const Caller& caller);

// Whether the peer is on this machine.
bool IsLoopback(const std::string& peer);

}  // namespace genzo

#endif  // GENZO_SERVER_AUTHENTICATOR_H_
