#ifndef GENZO_WORKER_SAMPLER_SCORE_SDE_H_
#define GENZO_WORKER_SAMPLER_SCORE_SDE_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "worker/sampler/walk_plan.h"

// What the samplers of score-based models share (Song et al.,
// arXiv:2011.13456): steps of some corrections and one prediction, each an
// evaluation.

namespace genzo {

// A walk over `looks` that looks `corrections` + 1 times at each.
WalkPlan PlanCorrected(const std::vector<Look>& looks, int corrections,
                       const NoiseLevel& end, int first_step);

// A step of annealed Langevin dynamics (algorithms 4 and 5): along `score`, by
// a length that makes the signal `snr` times as strong as `noise`, which is
// unit normal; `alpha` is 1 where the variance explodes. Norms are means over
// the rows, as in the reference.
at::Tensor Langevin(const at::Tensor& sample, const at::Tensor& score,
                    const at::Tensor& noise, double snr, double alpha);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SCORE_SDE_H_
