#ifndef GENZO_WORKER_RESIDENCY_EVICTION_H_
#define GENZO_WORKER_RESIDENCY_EVICTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// The reason of what does not fit into memory.
inline constexpr char kDoesNotFit[] = "DOES_NOT_FIT";

// A model in memory, as far as making room is concerned.
struct Resident {
  std::string id;
  ModelBytes bytes = 0;   // weights and the peak of an evaluation
  bool pinned = false;    // never leaves
  bool stays = false;     // cannot leave yet: it is only coming
  bool in_use = false;    // leaves only when its runs are done
  int64_t last_used = 0;  // greater is later
};

// Something that stands beside models, as a control network or an adapter, and
// that nobody holds. The number of its last use, in one order with those of the
// models, names it.
struct IdleBeside {
  int64_t bytes = 0;
  int64_t last_used = 0;
};

// Which models must leave so that `needed` more bytes fit into `budget`: the
// least recently used, those in use only if the idle ones would not do, and no
// more than it takes. Too few if the rest `stays`: ask again when that has
// changed. RESOURCE_EXHAUSTED/DOES_NOT_FIT, naming what holds the memory, if it
// cannot fit beside the pinned ones. Pure.
//
// Example: budget 100, needed 70, a (20) idle, b (30) in use, c (40) idle and
// used last. Of 90 bytes 60 must go: a and c, though b was used before c.
//
// What several hold is in memory once: it goes with the last of them, and who
// comes and has it, too, does not need it again.
absl::StatusOr<std::vector<std::string>> ChooseEvictions(
    const std::string& id, absl::Span<const Resident> residents,
    const ModelBytes& needed, int64_t budget);

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_EVICTION_H_
