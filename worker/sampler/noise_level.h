#ifndef GENZO_WORKER_SAMPLER_NOISE_LEVEL_H_
#define GENZO_WORKER_SAMPLER_NOISE_LEVEL_H_

namespace genzo {

// Weights of signal and noise: a sample is alpha * clean + sigma * noise.
// Samplers over alphas_cumprod have alpha^2 + sigma^2 = 1, samplers over sigmas
// have alpha = 1.
struct NoiseLevel {
  double alpha;
  double sigma;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_NOISE_LEVEL_H_
