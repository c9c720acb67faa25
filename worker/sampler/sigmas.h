#ifndef GENZO_WORKER_SAMPLER_SIGMAS_H_
#define GENZO_WORKER_SAMPLER_SIGMAS_H_

#include <vector>

#include "worker/sampler/noise_level.h"
#include "worker/sampler/scheduler_config.h"

namespace genzo {

// Noise levels as the ratio of noise to signal, sqrt((1 - a) / a), one a
// training timestep, increasing. Float32 as in the reference.
std::vector<float> TrainingSigmas(const std::vector<float>& alphas_cumprod);

// Those of `config`, the last of which is finite.
std::vector<float> TrainingSigmasOf(const SchedulerConfig& config);

// Sigma at a fractional timestep, linear between its neighbours.
double SigmaAt(const std::vector<float>& training_sigmas, double timestep);

// The fractional timestep of a sigma, linear in the logarithm and clamped to
// the training range.
double TimestepOfSigma(const std::vector<float>& training_sigmas, double sigma);

// What EDM's networks are told in place of a timestep (arXiv:2206.00364, table
// 1: c_noise).
double NoiseTold(double sigma);

// What a network of `config` is told of a sigma: either of the two.
double TimestepOfSigma(const SchedulerConfig& config,
                       const std::vector<float>& training_sigmas, double sigma);

// `count` sigmas from `max` to `min`: Karras et al., arXiv:2206.00364, eq. 5.
std::vector<double> KarrasSigmas(double max, double min, int count,
                                 double rho = 7);

// `count` sigmas from `max` to `min`, evenly in the logarithm.
std::vector<double> ExponentialSigmas(double max, double min, int count);

// `count` sigmas from `max` to `min` at even steps of the distribution
// Beta(0.6, 0.6), which is dense at both ends (arXiv:2407.12173).
std::vector<double> BetaSigmas(double max, double min, int count);

// Whether a spacing is a formula of its first and last sigma.
bool IsOfEnds(SigmaSpacing spacing);

// Whether a spacing is a choice among trained sigmas, or a table of its own.
bool IsOfTable(SigmaSpacing spacing);

// Places in a table of `size` trained sigmas, the cleanest first: every n-th,
// counted from the noisiest.
std::vector<size_t> SimplePlaces(size_t size, int steps);

// The same for each spacing that is a formula of its ends; Karras', which alone
// has a `rho`, for others.
std::vector<double> RespacedSigmas(SigmaSpacing spacing, double max, double min,
                                   int count, double rho = 7);

// `steps` sigmas over all that was trained, as config.sigma_spacing says, which
// is not kTimesteps.
std::vector<double> RespacedSigmas(const SchedulerConfig& config,
                                   const std::vector<float>& training_sigmas,
                                   int steps);

// A step from sigma `from` to `to` that goes down to `down` and comes back by
// noise of deviation `up` (k-diffusion's get_ancestral_step).
struct AncestralStep {
  AncestralStep(double from, double to);
  double up;
  double down;
};

// The standard deviation that the initial noise of a walk from sigma `max`
// needs (reference: init_noise_sigma).
double InitialSigma(const SchedulerConfig& config, double max);

// The variance-preserving level of `sigma`: 1 and sigma over
// sqrt(sigma^2 + 1).
NoiseLevel VariancePreserving(double sigma);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SIGMAS_H_
