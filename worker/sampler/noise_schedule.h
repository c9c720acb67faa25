#ifndef GENZO_WORKER_SAMPLER_NOISE_SCHEDULE_H_
#define GENZO_WORKER_SAMPLER_NOISE_SCHEDULE_H_

#include <vector>

#include "worker/sampler/scheduler_config.h"

namespace genzo {

// Betas of the forward process, one a training timestep, computed in float32 as
// the reference does. With rescale_betas_zero_snr the last timestep is pure
// noise (arXiv:2305.08891, algorithm 1).
std::vector<float> MakeBetas(const SchedulerConfig& config);

// Running products of 1 - beta: the share of signal variance at each training
// timestep, in [0, 1], decreasing.
std::vector<float> MakeAlphasCumprod(const SchedulerConfig& config);

// MakeAlphasCumprod for samplers over sigmas: a last value of 0 is lifted to
// 2^-24 so that its sigma is finite.
std::vector<float> MakeAlphasCumprodAboveZero(const SchedulerConfig& config);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_NOISE_SCHEDULE_H_
