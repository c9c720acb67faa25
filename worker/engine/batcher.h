#ifndef GENZO_WORKER_ENGINE_BATCHER_H_
#define GENZO_WORKER_ENGINE_BATCHER_H_

#include <vector>

#include "absl/types/span.h"

namespace genzo {

// What the choice of a batch may depend on, for one live run.
struct Candidate {
  int shape;  // equal for runs that may share an evaluation
  int rows;   // at least 1
};

// Chooses which runs share the next evaluation. Pure: no clock, no lock, no
// tensors, so every question of policy can be answered in a unit test.
class Batcher {
 public:
  // An evaluation has at most `max_rows` rows, but always room for one run.
  explicit Batcher(int max_rows) : max_rows_(max_rows) {}

  // Returns indices into `candidates`, which are in order of arrival: the
  // oldest run and those that share its shape, oldest first, as far as rows go.
  // Empty only if `candidates` is empty.
  std::vector<int> Pick(absl::Span<const Candidate> candidates) const;

 private:
  const int max_rows_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_BATCHER_H_
