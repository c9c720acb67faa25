#ifndef GENZO_BASE_API_KEYS_H_
#define GENZO_BASE_API_KEYS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// API keys: a text that is told once, when the key is made, and a file that
// says what it may do and from which it cannot be told. All functions are pure
// but MakeKey(), which draws.

namespace genzo {

// What a caller with a scope may call.
inline constexpr char kScopeGenerate[] = "generate";  // ImageGeneration
inline constexpr char kScopeJobs[] = "jobs";          // Jobs
inline constexpr char kScopeAdmin[] = "admin";        // ModelAdmin

// What a key, or another proof of who calls, gives.
struct Grant {
  std::string key_id;  // [0-9a-f]{16}; what logs call the key
  std::string name;    // for those who keep the keys
  // Whose share its jobs use, and whose jobs it sees. A key without one is a
  // tenant of its own, called as its id; one that names tenants has the common
  // one, "".
  std::string tenant;
  bool names_tenants = false;  // x-genzo-tenant is believed
  std::set<std::string> scopes;
  double weight = 1;  // its tenant's share against others, 0.01 to 100
  // Limits; empty and 0: as the server's.
  std::set<std::string> models;
  int64_t max_pixels = 0;      // width times height
  int max_steps = 0;           //
  double cost_per_minute = 0;  // cost units, see Job.cost
  double burst_cost = 0;       // at once, after a pause; 0: a minute's
  int max_jobs = 0;            // that wait or run
  int max_queued_jobs = 0;     // that wait
  absl::Time expires = absl::InfiniteFuture();  // by the date
  bool operator==(const Grant&) const = default;
};

// Calls visit(name, value, least, most) for each of the grant's limits that is
// a number, as files and claims call it, in the order in which faults are told.
template <typename SomeGrant, typename Visit>
void ForEachLimit(SomeGrant& grant, const Visit& visit) {
  constexpr int kMany = 1'000'000;
  constexpr double kMuch = 1e12;
  visit("weight", grant.weight, 0.01, 100.0);
  visit("max_pixels", grant.max_pixels, int64_t{0}, int64_t{1} << 32);
  visit("max_steps", grant.max_steps, 0, 1000);
  visit("cost_per_minute", grant.cost_per_minute, 0.0, kMuch);
  visit("burst_cost", grant.burst_cost, 0.0, kMuch);
  visit("max_jobs", grant.max_jobs, 0, kMany);
  visit("max_queued_jobs", grant.max_queued_jobs, 0, kMany);
}

// A key as its file has it.
struct StoredKey {
  Grant grant;
  std::string salt;  // 32 bytes
  std::string hash;  // HMAC-SHA256 of the secret with the salt as its key
  absl::Time created = absl::UnixEpoch();
};

// The keys of a file. INVALID_ARGUMENT for bad JSON, unknown or missing keys
// and values out of range, naming the path ("keys[2].weight 0 is not ...").
absl::StatusOr<std::vector<StoredKey>> ParseKeys(const std::string& json);
std::string FormatKeys(const std::vector<StoredKey>& keys);

// OK if every field is within its range, else INVALID_ARGUMENT naming it.
absl::Status CheckGrant(const Grant& grant);

// Puts the weight and the limits that `json` names, an object with some of a
// keys file's fields from "weight" to "max_queued_jobs", in place of the
// grant's. INVALID_ARGUMENT as ParseKeys(); then the grant is undefined.
absl::Status TakeLimits(const std::string& json, Grant& grant);

// A new key: `text` is "gz_", the id, "_" and a secret of 256 random bits.
struct MadeKey {
  std::string text;
  StoredKey stored;
};
MadeKey MakeKey(const Grant& grant, absl::Time now);

// Whether `text` looks like a key of ours, known or not.
bool IsKeyText(absl::string_view text);

// Finds grants by keys. Immutable.
class KeyTable {
 public:
  explicit KeyTable(const std::vector<StoredKey>& keys);

  // What the key `text` gives at `date`. UNAUTHENTICATED/KEY_INVALID for one
  // that is not known, which takes as long as one that is;
  // UNAUTHENTICATED/KEY_EXPIRED. Compares in constant time.
  absl::StatusOr<std::shared_ptr<const Grant>> Find(absl::string_view text,
                                                    absl::Time date) const;

  size_t size() const { return keys_.size(); }

 private:
  struct Row {
    std::shared_ptr<const Grant> grant;
    std::string salt;
    std::string hash;
  };
  std::map<std::string, Row> keys_;  // by id
};

}  // namespace genzo

#endif  // GENZO_BASE_API_KEYS_H_
