#include "worker/sampler/euler_ancestral_sampler.h"

#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

std::vector<double> Timesteps(const SchedulerConfig& config, int steps) {
  std::vector<double> timesteps = SpacedTimesteps(config, steps);
  for (double& t : timesteps) t = static_cast<float>(t);
  return timesteps;
}

std::vector<double> Sigmas(const SchedulerConfig& config,
                           const std::vector<double>& timesteps) {
  const std::vector<float> training =
      TrainingSigmas(MakeAlphasCumprodAboveZero(config));
  std::vector<double> sigmas;
  sigmas.reserve(timesteps.size() + 1);
  for (double t : timesteps) {
    sigmas.push_back(static_cast<float>(SigmaAt(training, t)));
  }
  sigmas.push_back(0);
  return sigmas;
}

}  // namespace

EulerAncestralSampler::EulerAncestralSampler(const SchedulerConfig& config,
                                             const SamplerOptions& options,
                                             const SamplerStart& start)
    : EulerAncestralSampler(config, start, Timesteps(config, options.steps),
                            Sigmas(config, Timesteps(config, options.steps))) {}

EulerAncestralSampler::EulerAncestralSampler(
    const SchedulerConfig& config, const SamplerStart& start,
    const std::vector<double>& timesteps, const std::vector<double>& sigmas)
    : SteppedSampler(start.noise * InitialSigma(config, sigmas), timesteps),
      config_(config),
      sigmas_(sigmas),
      source_(start.source) {}

at::Tensor EulerAncestralSampler::ScaledSample() const {
  return latent_ / std::hypot(sigmas_[index_], 1);
}

at::Tensor EulerAncestralSampler::Step(const at::Tensor& prediction) {
  const double from = sigmas_[index_];
  const double to = sigmas_[index_ + 1];
  const double up = std::sqrt(to * to * (from * from - to * to)) / from;
  const double down = std::sqrt(to * to - up * up);
  denoised_ = CleanEstimate(config_.prediction_type, prediction, latent_,
                            {.alpha = 1, .sigma = from});
  const at::Tensor derivative = (latent_ - denoised_) / from;
  return latent_ + derivative * (down - from) +
         source_->Draw(latent_.sizes()) * up;
}

}  // namespace genzo
