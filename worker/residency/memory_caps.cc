#include "worker/residency/memory_caps.h"

#include <algorithm>

namespace genzo {

int MemoryCaps::OutOfMemory(const std::string& model, int64_t pixels, int rows,
                            absl::Time now) {
  const auto [found, is_new] = limits_.try_emplace({model, pixels});
  Limit& limit = found->second;
  limit.rows = std::max(1, rows / 2);
  // Several in a row are one: halving until it fits is not trying too soon.
  const bool too_soon = !is_new && now - limit.since >= limit.wait;
  if (is_new) limit.wait = kFirstWait;
  if (too_soon) limit.wait = std::min(2 * limit.wait, kLongestWait);
  limit.since = now;
  return limit.rows;
}

int MemoryCaps::Cap(const std::string& model, int64_t pixels, int cap,
                    absl::Time now) const {
  const auto found = limits_.find({model, pixels});
  if (found == limits_.end()) return cap;
  const Limit& limit = found->second;
  int rows = limit.rows;
  for (absl::Time time = limit.since + limit.wait; time <= now && rows < cap;
       time += limit.wait) {
    rows *= 2;
  }
  return std::min(rows, cap);
}

}  // namespace genzo
