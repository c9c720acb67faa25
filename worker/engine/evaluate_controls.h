#ifndef GENZO_WORKER_ENGINE_EVALUATE_CONTROLS_H_
#define GENZO_WORKER_ENGINE_EVALUATE_CONTROLS_H_

#include <vector>

#include "absl/types/span.h"
#include "worker/denoiser/control_residuals.h"
#include "worker/denoiser/prepared.h"
#include "worker/engine/run.h"

namespace genzo {

// What control networks add in the next evaluation of `runs`, in the order of
// the runs' rows and of each one's controls: sums do not depend on the company.
// A network is called once for all rows that it steers; rows are repeated until
// there are `padded_rows`, as in Evaluate(). Lets LibTorch's exceptions
// through.
//
// Of runs a (canny), b (none) and c (canny and depth), two rows each, canny is
// called with four rows, depth with two; a's two rows and c's get what is
// theirs, b's nothing.
std::vector<ControlSegment> EvaluateControls(absl::Span<Run* const> runs,
                                             PreparedJoiner& joiner,
                                             int padded_rows);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_EVALUATE_CONTROLS_H_
