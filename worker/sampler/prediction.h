#ifndef GENZO_WORKER_SAMPLER_PREDICTION_H_
#define GENZO_WORKER_SAMPLER_PREDICTION_H_

#include "ATen/core/Tensor.h"
#include "worker/sampler/noise_level.h"
#include "worker/sampler/scheduler_config.h"

// The one place that knows what a denoiser's output means. A velocity refers to
// the sample scaled to unit variance, which is what the denoiser sees.

namespace genzo {

// The forward process: alpha * clean + sigma * noise.
at::Tensor Noised(const at::Tensor& clean, const at::Tensor& noise,
                  const NoiseLevel& level);

// The clean sample and the noise that `prediction` implies at `level`, any
// shape, float32.
// A flow is defined on the straight path, where alpha + sigma is 1.
at::Tensor CleanEstimate(PredictionType type, const at::Tensor& prediction,
                         const at::Tensor& sample, const NoiseLevel& level);
at::Tensor NoiseEstimate(PredictionType type, const at::Tensor& prediction,
                         const at::Tensor& sample, const NoiseLevel& level);

// The same of a walk's configuration, which may be EDM's: there the denoiser's
// output is a weighed difference of the two (arXiv:2206.00364, table 1: c_skip
// and c_out).
at::Tensor CleanEstimate(const SchedulerConfig& config,
                         const at::Tensor& prediction, const at::Tensor& sample,
                         const NoiseLevel& level);

// `sample`, of a walk over sigmas, as a network sees it: of unit variance where
// the data have config.sigma_data, 1 unless set (there: c_in).
at::Tensor ScaledForNetwork(const SchedulerConfig& config,
                            const at::Tensor& sample, const NoiseLevel& level);

// A clean estimate within the bounds that `config` sets: by dynamic
// thresholding, else by clip_sample.
at::Tensor Clipped(const SchedulerConfig& config, const at::Tensor& clean);

// Clamps a clean estimate [1, ...] to its own `ratio` quantile of magnitudes,
// at least 1 and at most `max_value`, and divides by it (dynamic thresholding,
// arXiv:2205.11487, section 2.3).
at::Tensor DynamicThreshold(const at::Tensor& clean, double ratio,
                            double max_value);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_PREDICTION_H_
