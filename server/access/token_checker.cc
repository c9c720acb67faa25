#include "server/access/token_checker.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/errors.h"
#include "base/request_rules.h"
#include "nlohmann/json.hpp"

namespace genzo {
namespace {

using nlohmann::json;

// Metadata may not have more.
constexpr size_t kMaxTokenBytes = 8192;

absl::Status Invalid(const std::string& why) {
  return ErrorWithReason(absl::StatusCode::kUnauthenticated, "TOKEN_INVALID",
                         absl::StrCat("the token ", why));
}

// A base64url part of a token that is a JSON object; else discarded.
json ObjectOf(absl::string_view part) {
  std::string text;
  json object(json::value_t::discarded);
  if (!absl::WebSafeBase64Unescape(part, &text)) return object;
  object = json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  return object.is_object() ? object : json(json::value_t::discarded);
}

std::string TextOf(const json& object, const std::string& key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string()
             ? member->get<std::string>()
             : "";
}

// A claim that is one text or a list of them; "scope" is words.
std::vector<std::string> TextsOf(const json& claims, const std::string& key) {
  const auto member = claims.find(key);
  std::vector<std::string> texts;
  if (member == claims.end()) return texts;
  if (member->is_string()) {
    return absl::StrSplit(member->get<std::string>(), ' ', absl::SkipEmpty());
  }
  if (!member->is_array()) return texts;
  for (const json& item : *member) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

bool IsFor(const json& claims, const std::string& audience) {
  const auto aud = claims.find("aud");
  if (aud == claims.end()) return false;
  if (aud->is_string()) return aud->get<std::string>() == audience;
  const std::vector<std::string> all = TextsOf(claims, "aud");
  return std::find(all.begin(), all.end(), audience) != all.end();
}

absl::Status CheckTimes(const json& claims, absl::Time now) {
  const auto time_of = [&](const char* key, absl::Time otherwise) {
    const auto member = claims.find(key);
    if (member == claims.end()) return otherwise;
    // Something that is no number is over, and is yet to come.
    if (!member->is_number()) return absl::InfinitePast();
    return absl::UnixEpoch() + absl::Seconds(member->get<double>());
  };
  const absl::Time expires = time_of("exp", absl::InfinitePast());
  if (claims.count("exp") == 0) return Invalid("has no exp");
  if (now >= expires + TokenChecker::kLeeway) {
    return ErrorWithReason(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED",
                           "the token is not valid any more");
  }
  const auto nbf = claims.find("nbf");
  if (nbf == claims.end()) return absl::OkStatus();
  const bool begun =
      nbf->is_number() &&
      now + TokenChecker::kLeeway >= time_of("nbf", absl::InfinitePast());
  return begun ? absl::OkStatus() : Invalid("is not valid yet");
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenChecker>> TokenChecker::Open(
    const AuthConfig& config, const Clock& clock) {
  std::unique_ptr<TokenChecker> checker(new TokenChecker(config, clock));
  const auto text = checker->file_.Read();
  if (!text.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("auth.jwks_file ", config.jwks_file, " cannot be read"));
  }
  const absl::Status taken = checker->Take(*text);
  if (taken.ok()) return checker;
  return absl::InvalidArgumentError(
      absl::StrCat("auth.jwks_file ", config.jwks_file, ": ", taken.message()));
}

absl::StatusOr<std::shared_ptr<const Grant>> TokenChecker::Check(
    const std::string& text) const {
  if (text.size() > kMaxTokenBytes) {
    return Invalid(absl::StrCat("has ", text.size(), " bytes, the limit is ",
                                kMaxTokenBytes));
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '.');
  if (parts.size() != 3) return Invalid("has not three parts");
  const json header = ObjectOf(parts[0]);
  std::string signature;
  if (header.is_discarded() ||
      !absl::WebSafeBase64Unescape(parts[2], &signature)) {
    return Invalid("is not a JSON Web Token");
  }
  // Extensions that must be understood, and are not.
  if (header.contains("crit")) return Invalid("has a crit header");
  std::shared_ptr<const JsonWebKeys> keys;
  {
    absl::MutexLock lock(&mutex_);
    keys = keys_;
  }
  const absl::string_view signed_text(text.data(),
                                      parts[0].size() + 1 + parts[1].size());
  if (!keys->Verify(TextOf(header, "kid"), TextOf(header, "alg"), signed_text,
                    signature)) {
    return Invalid("is not signed by a key that is known here");
  }
  const json claims = ObjectOf(parts[1]);
  if (claims.is_discarded()) return Invalid("is not a JSON Web Token");
  const absl::Status in_time = CheckTimes(claims, clock_.Date());
  if (!in_time.ok()) return in_time;
  if (TextOf(claims, "iss") != config_.jwt_issuer) {
    return Invalid("is of another issuer");
  }
  if (!IsFor(claims, config_.jwt_audience)) {
    return Invalid("is for another audience");
  }
  Grant grant = config_.token_limits;
  grant.tenant = TextOf(claims, config_.tenant_claim);
  if (!IsTenantName(grant.tenant)) {
    return Invalid(absl::StrCat("names no tenant: its ", config_.tenant_claim,
                                " must match [A-Za-z0-9._-]{1,64}"));
  }
  grant.key_id = absl::StrCat("token:", grant.tenant);
  for (const std::string& scope : TextsOf(claims, config_.scopes_claim)) {
    if (scope == kScopeGenerate || scope == kScopeJobs ||
        scope == kScopeAdmin) {
      grant.scopes.insert(scope);
    }
  }
  const auto limits = claims.find(config_.limits_claim);
  if (limits != claims.end()) {
    const absl::Status taken = TakeLimits(limits->dump(), grant);
    if (!taken.ok()) {
      return Invalid(absl::StrCat("has a ", config_.limits_claim, " whose ",
                                  taken.message()));
    }
  }
  return std::make_shared<const Grant>(std::move(grant));
}

void TokenChecker::Refresh() {
  file_.TakeChanged("keys",
                    [this](const std::string& text) { return Take(text); });
}

absl::Status TokenChecker::Take(const std::string& text) {
  auto keys = JsonWebKeys::Parse(text);
  if (!keys.ok()) return keys.status();
  auto shared = std::make_shared<const JsonWebKeys>(*std::move(keys));
  absl::MutexLock lock(&mutex_);
  keys_ = std::move(shared);
  return absl::OkStatus();
}

}  // namespace genzo
