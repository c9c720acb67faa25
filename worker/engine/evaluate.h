#ifndef GENZO_WORKER_ENGINE_EVALUATE_H_
#define GENZO_WORKER_ENGINE_EVALUATE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/engine/run.h"

namespace genzo {

// The guided prediction from its two halves, [1, C, H, W] each.
at::Tensor ApplyGuidance(const at::Tensor& unconditional,
                         const at::Tensor& conditional,
                         const Guidance& guidance);

// One denoiser call for all of `runs`, which share a ShapeKey and are not
// finished: gathers rows, evaluates, guides. Returns one prediction
// [1, C, H, W] float32 a run, for its sampler's Advance(). Rows are repeated
// until there are `least_rows`: what a row's bits depend on where they depend
// on the number of rows. The denoiser computes on `threads` threads, 0 for
// those of the caller. LibTorch's exceptions become INTERNAL, out of memory
// RESOURCE_EXHAUSTED.
absl::StatusOr<std::vector<at::Tensor>> Evaluate(absl::Span<Run* const> runs,
                                                 ContextGatherer& gatherer,
                                                 int least_rows = 0,
                                                 int threads = 0);

// Moves one run's sampler on. Errors as for Evaluate().
absl::Status Advance(Run& run, const at::Tensor& prediction);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_EVALUATE_H_
