#ifndef GENZO_WORKER_RESIDENCY_EVICTION_H_
#define GENZO_WORKER_RESIDENCY_EVICTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace genzo {

// A model in memory, as far as making room is concerned.
struct Resident {
  std::string id;
  int64_t bytes = 0;      // weights and the peak of an evaluation
  bool pinned = false;    // never leaves
  int64_t last_used = 0;  // greater is later
};

// Which models must leave so that `needed` more bytes fit into `budget`: the
// least recently used that are not pinned, no more than it takes, best first.
// RESOURCE_EXHAUSTED/DOES_NOT_FIT if all of them would not do. Pure.
absl::StatusOr<std::vector<std::string>> ChooseEvictions(
    const std::string& id, absl::Span<const Resident> residents, int64_t needed,
    int64_t budget);

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_EVICTION_H_
