#ifndef GENZO_SERVER_ACCESS_AUTHENTICATOR_H_
#define GENZO_SERVER_ACCESS_AUTHENTICATOR_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/api_keys.h"
#include "base/log_share.h"
#include "base/tracing.h"

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
  // What the caller's key or token gives; null where none is asked for: then
  // everything but what administrators do.
  std::shared_ptr<const Grant> grant = nullptr;
  // Whose work the call is a part of, if the caller says.
  std::optional<TraceContext> trace = std::nullopt;
  // What the caller, or the HTTP door, calls the request, for logs.
  std::string x_request_id = {};
};

// What logs call the key of `grant`; empty where none is asked for.
inline std::string KeyIdOf(const std::shared_ptr<const Grant>& grant) {
  return grant == nullptr ? "" : grant->key_id;
}

// Tells callers apart. Asked at the head of every call. Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // INVALID_ARGUMENT for metadata that make no sense; an implementation that
  // checks keys answers UNAUTHENTICATED, or PERMISSION_DENIED for a tenant that
  // the caller may not name.
  virtual absl::StatusOr<Caller> Authenticate(const CallFacts& call) const = 0;

  // Of the log, for calls that are refused: whoever has no key may make many.
  LogShare& refusals() const { return refusals_; }

 private:
  mutable LogShare refusals_{/*most_a_second=*/20};
};

// Believes the metadata `x-genzo-tenant`. `admin_api` says who may administer:
// "loopback" (callers from this machine), "open" (all) or "off" (none).
std::unique_ptr<Authenticator> MakeTrustingAuthenticator(
    const std::string& admin_api);

// Who has proved who they are by a text, a key or a token.
class Credentials {
 public:
  virtual ~Credentials() = default;
  // UNAUTHENTICATED with a reason if `text` proves nothing. Thread-safe.
  virtual absl::StatusOr<std::shared_ptr<const Grant>> Check(
      const std::string& text) const = 0;
};

// Asks every call for an API key or a token, as `authorization: Bearer ...` or
// `x-api-key: ...`: `keys` checks those that look like keys of ours, `tokens`
// the others. Either may be null and outlives the authenticator.
// UNAUTHENTICATED/CREDENTIALS_MISSING; PERMISSION_DENIED/TENANT_NOT_ALLOWED for
// an `x-genzo-tenant` that is not the caller's, unless it may name tenants.
std::unique_ptr<Authenticator> MakeCredentialsAuthenticator(
    const Credentials* keys, const Credentials* tokens);

// OK if the caller may administer, else PERMISSION_DENIED/NOT_AN_ADMINISTRATOR.
absl::Status CheckAdministrator(const Caller& caller);

// OK if the caller's grant has `scope`, else PERMISSION_DENIED/SCOPE_MISSING.
absl::Status CheckScope(const Caller& caller, const std::string& scope);

// Whether the peer is on this machine.
bool IsLoopback(const std::string& peer);

}  // namespace genzo

#endif  // GENZO_SERVER_ACCESS_AUTHENTICATOR_H_
