#include "server/access/authenticator.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/errors.h"
#include "base/request_rules.h"

namespace genzo {
namespace {

constexpr char kTenantKey[] = "x-genzo-tenant";

// The tenant that the call names, or `otherwise`.
absl::StatusOr<std::string> TenantOf(const CallFacts& call,
                                     const std::string& otherwise) {
  const auto found = call.metadata.find(kTenantKey);
  if (found == call.metadata.end()) return otherwise;
  if (IsTenantName(found->second)) return found->second;
  return InvalidFieldsError(
      {{kTenantKey, absl::StrCat(kTenantKey, " has ", found->second.size(),
                                 " bytes; it must match "
                                 "[A-Za-z0-9._-]{1,64}")}});
}

class TrustingAuthenticator : public Authenticator {
 public:
  explicit TrustingAuthenticator(std::string admin_api)
      : admin_api_(std::move(admin_api)) {}

  absl::StatusOr<Caller> Authenticate(const CallFacts& call) const override {
    auto tenant = TenantOf(call, /*otherwise=*/"");
    if (!tenant.ok()) return tenant.status();
    return Caller{
        .tenant = *std::move(tenant),
        .may_administer = admin_api_ == "open" ||
                          (admin_api_ == "loopback" && IsLoopback(call.peer))};
  }

 private:
  const std::string admin_api_;
};

// The text by which the call proves who makes it; empty if there is none.
std::string ProofOf(const CallFacts& call) {
  const auto bearer = call.metadata.find("authorization");
  if (bearer != call.metadata.end()) {
    constexpr absl::string_view kScheme = "bearer ";
    absl::string_view text = bearer->second;
    // Another scheme is for somebody before us.
    if (absl::StartsWithIgnoreCase(text, kScheme)) {
      text.remove_prefix(kScheme.size());
      text = absl::StripAsciiWhitespace(text);
      if (!text.empty()) return std::string(text);
    }
  }
  const auto key = call.metadata.find("x-api-key");
  return key == call.metadata.end() ? "" : key->second;
}

class CredentialsAuthenticator : public Authenticator {
 public:
  CredentialsAuthenticator(const Credentials* keys, const Credentials* tokens)
      : keys_(keys), tokens_(tokens) {}

  absl::StatusOr<Caller> Authenticate(const CallFacts& call) const override {
    const std::string proof = ProofOf(call);
    const Credentials* const checker = IsKeyText(proof) ? keys_ : tokens_;
    if (proof.empty()) {
      return ErrorWithReason(
          absl::StatusCode::kUnauthenticated, "CREDENTIALS_MISSING",
          "this server asks for an API key: authorization: Bearer KEY, or "
          "x-api-key: KEY");
    }
    if (checker == nullptr) {
      return ErrorWithReason(absl::StatusCode::kUnauthenticated, "KEY_INVALID",
                             "the API key is not known here");
    }
    auto grant = checker->Check(proof);
    if (!grant.ok()) return grant.status();
    auto tenant = TenantOf(call, (*grant)->tenant);
    if (!tenant.ok()) return tenant.status();
    if (*tenant != (*grant)->tenant && !(*grant)->names_tenants) {
      return ErrorWithReason(
          absl::StatusCode::kPermissionDenied, "TENANT_NOT_ALLOWED",
          absl::StrCat(kTenantKey, " ", *tenant,
                       " is not the caller's, and it may not name others"));
    }
    const bool administers = (*grant)->scopes.count(kScopeAdmin) > 0;
    return Caller{*std::move(tenant), administers, *std::move(grant)};
  }

 private:
  const Credentials* const keys_;
  const Credentials* const tokens_;
};

}  // namespace

std::unique_ptr<Authenticator> MakeCredentialsAuthenticator(
    const Credentials* keys, const Credentials* tokens) {
  return std::make_unique<CredentialsAuthenticator>(keys, tokens);
}

std::unique_ptr<Authenticator> MakeTrustingAuthenticator(
    const std::string& admin_api) {
  return std::make_unique<TrustingAuthenticator>(admin_api);
}

absl::Status CheckAdministrator(const Caller& caller) {
  if (caller.may_administer) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kPermissionDenied, "NOT_AN_ADMINISTRATOR",
      "models are loaded and unloaded by this server's administrators only: "
      "keys with the scope \"admin\" or, without keys, whom its "
      "configuration's admin_api names");
}

absl::Status CheckScope(const Caller& caller, const std::string& scope) {
  if (caller.grant == nullptr || caller.grant->scopes.count(scope) > 0) {
    return absl::OkStatus();
  }
  return ErrorWithReason(
      absl::StatusCode::kPermissionDenied, "SCOPE_MISSING",
      absl::StrCat("the caller's key has not the scope \"", scope, "\""),
      {{"scope", scope}});
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
