#ifndef GENZO_WORKER_SAMPLER_TIMESTEPS_H_
#define GENZO_WORKER_SAMPLER_TIMESTEPS_H_

#include <vector>

#include "worker/sampler/scheduler_config.h"

namespace genzo {

// `count` values from `first` to `last`, both included, in float64.
std::vector<double> Linspace(double first, double last, int count);

// The training timesteps that a run of `steps` visits, from noisy to clean, by
// config.timestep_spacing: leading and trailing are whole, linspace is not
// rounded. `steps` is at least 1 and at most num_train_timesteps. Or
// config.timesteps, if there are any.
std::vector<double> SpacedTimesteps(const SchedulerConfig& config, int steps);

// The same with linspace rounded half to even, for samplers that index tables.
std::vector<int> WholeTimesteps(const SchedulerConfig& config, int steps);

// Every `ratio`-th of `last` trained timesteps, counted from the noisiest,
// which is the last; at most `steps`, in numpy's own rounding.
std::vector<double> TrailingTimesteps(int last, double ratio, int steps);

// Where DDIM's step from `timestep` leads: a stride of the walk below it, or to
// the next of config.timesteps; below 0: to the picture.
int PreviousTimestep(const SchedulerConfig& config, int timestep, int steps);

// The timesteps of a walk of `steps`, from noisy to clean, that a distilled
// model knows: evenly spaced among its original_inference_steps.
std::vector<int> DistilledTimesteps(const SchedulerConfig& config, int steps);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_TIMESTEPS_H_
