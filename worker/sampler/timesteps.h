#ifndef GENZO_WORKER_SAMPLER_TIMESTEPS_H_
#define GENZO_WORKER_SAMPLER_TIMESTEPS_H_

#include <vector>

#include "worker/sampler/scheduler_config.h"

namespace genzo {

// `count` values from `first` to `last`, both included, in float64.
std::vector<double> Linspace(double first, double last, int count);

// The training timesteps that a run of `steps` visits, from noisy to clean, by
// config.timestep_spacing: leading and trailing are whole, linspace is not
// rounded. `steps` is at least 1 and at most num_train_timesteps.
std::vector<double> SpacedTimesteps(const SchedulerConfig& config, int steps);

// The same with linspace rounded half to even, for samplers that index tables.
std::vector<int> WholeTimesteps(const SchedulerConfig& config, int steps);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_TIMESTEPS_H_
