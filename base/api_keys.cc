#include "base/api_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/errors.h"
#include "base/hmac_sha256.h"
#include "base/request_rules.h"
#include "nlohmann/json.hpp"
#include "openssl/crypto.h"
#include "openssl/rand.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr absl::string_view kPrefix = "gz_";
constexpr size_t kIdBytes = 8;
constexpr size_t kIdDigits = 2 * kIdBytes;
constexpr size_t kSecretBytes = 32;

std::string Draw(size_t bytes) {
  std::string drawn(bytes, '\0');
  // The system's generator fails only where nothing works any more.
  if (RAND_bytes(reinterpret_cast<unsigned char*>(drawn.data()),
                 static_cast<int>(bytes)) != 1) {
    abort();
  }
  return drawn;
}

bool IsHex(const std::string& text, size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

// Reads the members of one JSON object; remembers the first fault, and which
// members were asked for, so that left-over ones can be called unknown.
class Reader {
 public:
  Reader(const json& object, std::string path, absl::Status& status)
      : object_(object), path_(std::move(path)), status_(status) {
    if (!object_.is_object()) Fail("", "is not an object");
  }
  ~Reader() {
    if (!object_.is_object()) return;
    for (const auto& [key, _] : object_.items()) {
      if (known_.count(key) == 0) Fail(key, "is not known");
    }
  }

  template <typename T>
  void Read(const char* key, T& value, bool required = false) {
    known_.insert(key);
    if (!object_.is_object()) return;
    const auto member = object_.find(key);
    if (member == object_.end()) {
      if (required) Fail(key, "is missing");
      return;
    }
    if (!IsOf(*member, value)) return Fail(key, "has the wrong type");
    value = member->get<T>();
  }

  void Fail(const std::string& key, const std::string& what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat(
        path_, key.empty() || path_.empty() ? "" : ".", key, " ", what));
  }

 private:
  static bool IsOf(const json& member, const std::string&) {
    return member.is_string();
  }
  static bool IsOf(const json& member, bool) { return member.is_boolean(); }
  static bool IsOf(const json& member, double) { return member.is_number(); }
  static bool IsOf(const json& member, int64_t) {
    return member.is_number_integer();
  }
  static bool IsOf(const json& member, int) {
    return member.is_number_integer() && member >= INT32_MIN &&
           member <= INT32_MAX;
  }
  static bool IsOf(const json& member, const std::set<std::string>&) {
    return member.is_array() &&
           std::all_of(member.begin(), member.end(),
                       [](const json& item) { return item.is_string(); });
  }

  const json& object_;
  const std::string path_;
  absl::Status& status_;
  std::set<std::string> known_;
};

void ReadHex(Reader& reader, const char* key, size_t bytes,
             std::string& value) {
  std::string digits;
  reader.Read(key, digits, /*required=*/true);
  if (!IsHex(digits, 2 * bytes)) {
    return reader.Fail(
        key, absl::StrCat("is not ", 2 * bytes, " hexadecimal digits"));
  }
  value = absl::HexStringToBytes(digits);
}

void ReadTime(Reader& reader, const char* key, absl::Time& time) {
  std::string text;
  reader.Read(key, text);
  std::string why;
  if (!text.empty() &&
      !absl::ParseTime(absl::RFC3339_full, text, &time, &why)) {
    reader.Fail(key, absl::StrCat("\"", text, "\" is no time: ", why));
  }
}

void ReadLimits(Reader& reader, Grant& grant) {
  reader.Read("models", grant.models);
  ForEachLimit(grant, [&](const char* name, auto& value, auto, auto) {
    reader.Read(name, value);
  });
}

// Two keys of nobody's would see each other's jobs.
void NameTenant(Grant& grant) {
  if (grant.tenant.empty() && !grant.names_tenants) grant.tenant = grant.key_id;
}

StoredKey ReadKey(const json& object, const std::string& path,
                  absl::Status& status) {
  StoredKey key;
  Reader reader(object, path, status);
  Grant& grant = key.grant;
  reader.Read("id", grant.key_id, /*required=*/true);
  if (!IsHex(grant.key_id, kIdDigits)) {
    reader.Fail("id",
                absl::StrCat("is not ", kIdDigits, " hexadecimal digits"));
  }
  ReadHex(reader, "salt", kSecretBytes, key.salt);
  ReadHex(reader, "hash", kSecretBytes, key.hash);
  reader.Read("name", grant.name);
  reader.Read("tenant", grant.tenant);
  reader.Read("names_tenants", grant.names_tenants);
  NameTenant(grant);
  reader.Read("scopes", grant.scopes, /*required=*/true);
  ReadLimits(reader, grant);
  ReadTime(reader, "created", key.created);
  ReadTime(reader, "expires", grant.expires);
  const absl::Status checked = CheckGrant(grant);
  if (status.ok() && !checked.ok()) {
    status =
        absl::InvalidArgumentError(absl::StrCat(path, ".", checked.message()));
  }
  return key;
}

}  // namespace

absl::Status CheckGrant(const Grant& grant) {
  for (const std::string& scope : grant.scopes) {
    if (scope == kScopeGenerate || scope == kScopeJobs ||
        scope == kScopeAdmin) {
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("scopes: \"", scope, "\" is not one of ", kScopeGenerate,
                     ", ", kScopeJobs, ", ", kScopeAdmin));
  }
  if (!grant.tenant.empty() && !IsTenantName(grant.tenant)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tenant \"", grant.tenant, "\" does not match [A-Za-z0-9._-]{1,64}"));
  }
  absl::Status status;
  ForEachLimit(grant, [&](const char* name, auto value, auto least, auto most) {
    const bool is_within = value >= least && value <= most;  // not for NaN
    if (is_within || !status.ok()) return;
    status = absl::InvalidArgumentError(absl::StrCat(
        name, " ", value, " is not between ", least, " and ", most));
  });
  return status;
}

absl::Status TakeLimits(const std::string& text, Grant& grant) {
  const json root =
      json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  absl::Status status;
  {
    Reader reader(root, /*path=*/"", status);
    ReadLimits(reader, grant);
  }
  return status.ok() ? CheckGrant(grant) : status;
}

absl::StatusOr<std::vector<StoredKey>> ParseKeys(const std::string& text) {
  const json root =
      json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object() || !root.contains("keys") ||
      !root["keys"].is_array() || root.size() != 1) {
    return absl::InvalidArgumentError(
        "is not a JSON object with the list \"keys\" and nothing else");
  }
  std::vector<StoredKey> keys;
  std::set<std::string> ids;
  absl::Status status;
  for (const json& object : root["keys"]) {
    const std::string path = absl::StrCat("keys[", keys.size(), "]");
    keys.push_back(ReadKey(object, path, status));
    if (!status.ok()) return status;
    if (!ids.insert(keys.back().grant.key_id).second) {
      return absl::InvalidArgumentError(absl::StrCat(path, ".id occurs twice"));
    }
  }
  return keys;
}

std::string FormatKeys(const std::vector<StoredKey>& keys) {
  json list = json::array();
  for (const StoredKey& key : keys) {
    const Grant& grant = key.grant;
    json object = {{"id", grant.key_id},
                   {"salt", absl::BytesToHexString(key.salt)},
                   {"hash", absl::BytesToHexString(key.hash)},
                   {"name", grant.name},
                   {"tenant", grant.tenant},
                   {"names_tenants", grant.names_tenants},
                   {"scopes", grant.scopes},
                   {"models", grant.models},
                   {"created", TimeText(key.created)}};
    ForEachLimit(grant, [&](const char* name, auto value, auto, auto) {
      object[name] = value;
    });
    if (grant.expires < absl::InfiniteFuture()) {
      object["expires"] = TimeText(grant.expires);
    }
    list.push_back(std::move(object));
  }
  return json{{"keys", std::move(list)}}.dump(
             /*indent=*/2, ' ', /*ensure_ascii=*/false,
             json::error_handler_t::replace) +
         "\n";
}

MadeKey MakeKey(const Grant& grant, absl::Time now) {
  MadeKey key;
  key.stored.grant = grant;
  key.stored.grant.key_id = absl::BytesToHexString(Draw(kIdBytes));
  NameTenant(key.stored.grant);
  key.stored.created = now;
  key.stored.salt = Draw(kSecretBytes);
  const std::string secret = absl::WebSafeBase64Escape(Draw(kSecretBytes));
  key.stored.hash = HmacSha256(key.stored.salt, secret);
  key.text = absl::StrCat(kPrefix, key.stored.grant.key_id, "_", secret);
  return key;
}

bool IsKeyText(absl::string_view text) {
  return absl::StartsWith(text, kPrefix);
}

KeyTable::KeyTable(const std::vector<StoredKey>& keys) {
  for (const StoredKey& key : keys) {
    keys_[key.grant.key_id] = {std::make_shared<const Grant>(key.grant),
                               key.salt, key.hash};
  }
}

absl::StatusOr<std::shared_ptr<const Grant>> KeyTable::Find(
    absl::string_view text, absl::Time date) const {
  static const Row kNone = {nullptr, std::string(kSecretBytes, '\0'),
                            std::string(kSecretBytes, '\0')};
  absl::string_view rest = text;
  absl::ConsumePrefix(&rest, kPrefix);
  const size_t split = std::min(rest.size(), kIdDigits);
  const auto found = keys_.find(std::string(rest.substr(0, split)));
  const Row& row = found == keys_.end() ? kNone : found->second;
  absl::string_view secret = rest.substr(split);
  const bool has_secret = absl::ConsumePrefix(&secret, "_");
  const std::string hash = HmacSha256(row.salt, secret);
  const bool equal =
      CRYPTO_memcmp(hash.data(), row.hash.data(), hash.size()) == 0;
  if (!equal || !has_secret || row.grant == nullptr || !IsKeyText(text)) {
    return ErrorWithReason(absl::StatusCode::kUnauthenticated, "KEY_INVALID",
                           "the API key is not known here");
  }
  if (date >= row.grant->expires) {
    return ErrorWithReason(
        absl::StatusCode::kUnauthenticated, "KEY_EXPIRED",
        absl::StrCat("the API key ", row.grant->key_id, " expired at ",
                     TimeText(row.grant->expires)));
  }
  return row.grant;
}

}  // namespace genzo
