#include "server/authenticator.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "server/request_resolver.h"

namespace genzo {
namespace {

constexpr char kTenantKey[] = "x-genzo-tenant";
constexpr size_t kMaxTenantBytes = 64;

class TrustingAuthenticator : public Authenticator {
 public:
  explicit TrustingAuthenticator(std::string admin_api)
      : admin_api_(std::move(admin_api)) {}

  absl::StatusOr<Caller> Authenticate(const CallFacts& call) const override {
    Caller caller;
    caller.may_administer = admin_api_ == "open" ||
                            (admin_api_ == "loopback" && IsLoopback(call.peer));
    const auto found = call.metadata.find(kTenantKey);
    if (found == call.metadata.end()) return caller;
    caller.tenant = found->second;
    if (caller.tenant.size() <= kMaxTenantBytes && IsPlainName(caller.tenant)) {
      return caller;
    }
    return InvalidFieldsError(
        {{kTenantKey, absl::StrCat(kTenantKey, " has ", caller.tenant.size(),
                                   " bytes; it must match [A-Za-z0-9._-]{1,",
                                   kMaxTenantBytes, "}")}});
  }

 private:
  const std::string admin_api_;
};

}  // namespace

std::unique_ptr<Authenticator> MakeTrustingAuthenticator(
    const std::string& admin_api) {
  return std::make_unique<TrustingAuthenticator>(admin_api);
}

absl::Status CheckAdministrator(const Caller& caller) {
  if (caller.may_administer) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kPermissionDenied, "NOT_AN_ADMINISTRATOR",
      "models are loaded and unloaded by this server's administrators only; "
      "its configuration's admin_api says who they are");
}

bool IsLoopback(const std::string& peer) {
  for (const char* prefix :
       {"ipv4:127.", "ipv6:[::1]:", "ipv6:%5B::1%5D:", "ipv6:[::ffff:127.",
        "ipv6:%5B::ffff:127.", "unix:"}) {
    if (absl::StartsWith(peer, prefix)) return true;
  }
  return false;
}

}  // namespace genzo
