#ifndef GENZO_WORKER_SAMPLER_NOISE_SCHEDULE_H_
#define GENZO_WORKER_SAMPLER_NOISE_SCHEDULE_H_

#include <vector>

#include "absl/status/status.h"
#include "worker/sampler/noise_level.h"
#include "worker/sampler/scheduler_config.h"

namespace genzo {

// Betas of the forward process, one a training timestep, computed in float32 as
// the reference does. With rescale_betas_zero_snr the last timestep is pure
// noise (arXiv:2305.08891, algorithm 1).
std::vector<float> MakeBetas(const SchedulerConfig& config);

// Running products of 1 - beta: the share of signal variance at each training
// timestep, in [0, 1], decreasing.
std::vector<float> MakeAlphasCumprod(const SchedulerConfig& config);

// INVALID_ARGUMENT unless each of MakeAlphasCumprod is finite, at most 1 and
// over 0; the last may be 0 with rescale_betas_zero_snr.
absl::Status CheckAlphasCumprod(const SchedulerConfig& config);

// MakeAlphasCumprod for samplers over sigmas, and PNDM: a last value of 0 is
// lifted to 2^-24 so that its sigma, the ratio of noise to signal, is finite.
std::vector<float> MakeAlphasCumprodAboveZero(const SchedulerConfig& config);

// The entry of `alphas_cumprod` at `timestep`. Before the first there is the
// picture: 1, or the first entry unless config.set_alpha_to_one. After the last
// stands the last.
double AlphaProdAt(const SchedulerConfig& config,
                   const std::vector<float>& alphas_cumprod, int timestep);

// The level of a sample with a share `alpha_prod` of signal variance.
NoiseLevel LevelOf(double alpha_prod);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_NOISE_SCHEDULE_H_
