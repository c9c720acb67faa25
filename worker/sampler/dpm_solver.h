#ifndef GENZO_WORKER_SAMPLER_DPM_SOLVER_H_
#define GENZO_WORKER_SAMPLER_DPM_SOLVER_H_

#include "ATen/core/Tensor.h"
#include "worker/sampler/noise_level.h"
#include "worker/sampler/scheduler_config.h"

// What the solvers share that integrate in lambda = log(alpha / sigma).

namespace genzo {

double LambdaOf(const NoiseLevel& level);

// A DPM-Solver's move from one level to another, as weights of what it sums up:
// the sample, its first value (of the clean estimate, or of the noise estimate
// without `plus_plus`), what is added to a value for its slope and curve over
// the move, and unit normal noise. `midpoint` is the weight that the slope has
// instead in a second order of solver_type "midpoint" (Lu et al.,
// arXiv:2206.00927 and arXiv:2211.01095, algorithms 1 and 2, appendix of the
// second for the stochastic ones; reference: diffusers' DPMSolver*Scheduler,
// signs included). Where `to` has no noise only sample and value are finite.
struct DpmMove {
  double sample = 0;
  double value = 0;
  double midpoint = 0;
  double slope = 0;
  double curve = 0;
  double noise = 0;
};
DpmMove DpmMoveOf(const SchedulerConfig& config, const NoiseLevel& from,
                  const NoiseLevel& to);

// What a DPM-Solver remembers of a prediction, and sets `clean` to its clean
// estimate.
at::Tensor DpmValue(const SchedulerConfig& config, const at::Tensor& prediction,
                    const at::Tensor& sample, const NoiseLevel& level,
                    at::Tensor& clean);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPM_SOLVER_H_
