#ifndef GENZO_WORKER_ENGINE_EVALUATE_H_
#define GENZO_WORKER_ENGINE_EVALUATE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/denoiser/prepared.h"
#include "worker/engine/run.h"

namespace genzo {

// One denoiser call for all of `runs`, which share a BatchKey and are not
// finished: gathers rows, evaluates, guides. Returns one prediction [1, C, ...]
// float32 a run, for its Take(). Unless it is 0, rows are repeated until there
// are `padded_rows`, also those of control networks: what a row's bits depend
// on where they depend on the number of rows. LibTorch's exceptions become
// INTERNAL, out of memory RESOURCE_EXHAUSTED; the runs stay as they were.
absl::StatusOr<std::vector<at::Tensor>> Evaluate(absl::Span<Run* const> runs,
                                                 PreparedJoiner& joiner,
                                                 int padded_rows = 0);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_EVALUATE_H_
