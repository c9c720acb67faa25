#ifndef GENZO_SERVER_ACCESS_TOKEN_CHECKER_H_
#define GENZO_SERVER_ACCESS_TOKEN_CHECKER_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/watched_file.h"
#include "server/access/authenticator.h"
#include "server/access/json_web_keys.h"

namespace genzo {

// JSON Web Tokens (RFC 7519) as a proof of who calls. A token must be signed
// with RS256, ES256 or EdDSA by a key of the JWKS file, which may be replaced
// at any time; name the configured issuer and audience; have an `exp` that is
// not over and no `nbf` that is to come, give or take kLeeway; and name a
// tenant. Its scopes are the words of its scopes claim that are ours, its
// limits those of its limits claim, and for the rest the configured ones;
// quotas count all tokens of a tenant as one. Check() is thread-safe; Refresh()
// is for one thread at a time.
class TokenChecker : public Credentials {
 public:
  static constexpr absl::Duration kLeeway = absl::Seconds(30);

  // INVALID_ARGUMENT or NOT_FOUND if the file is of no use. `clock` outlives
  // the checker.
  static absl::StatusOr<std::unique_ptr<TokenChecker>> Open(
      const AuthConfig& config, const Clock& clock);

  // UNAUTHENTICATED/TOKEN_INVALID, UNAUTHENTICATED/TOKEN_EXPIRED.
  absl::StatusOr<std::shared_ptr<const Grant>> Check(
      const std::string& text) const override ABSL_LOCKS_EXCLUDED(mutex_);

  // As KeyStore::Refresh().
  void Refresh() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the file, as Refresh() found it, is what counts. As Refresh().
  bool in_force() const { return file_.in_force(); }

 private:
  TokenChecker(const AuthConfig& config, const Clock& clock)
      : config_(config), clock_(clock), file_(config.jwks_file) {}
  absl::Status Take(const std::string& text) ABSL_LOCKS_EXCLUDED(mutex_);

  const AuthConfig config_;
  const Clock& clock_;
  WatchedFile file_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const JsonWebKeys> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_SERVER_ACCESS_TOKEN_CHECKER_H_
