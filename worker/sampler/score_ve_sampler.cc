#include "worker/sampler/score_ve_sampler.h"

#include <cmath>

#include "worker/sampler/score_sde.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

// Time from 1 to sampling_eps, float32 as in the reference, which takes an
// index from it.
std::vector<double> Times(const SchedulerConfig& config, int steps) {
  std::vector<double> times = Linspace(1, config.sampling_eps, steps);
  for (double& time : times) time = static_cast<float>(time);
  return times;
}

std::vector<float> DiscreteSigmas(const SchedulerConfig& config, int steps) {
  std::vector<float> sigmas;
  for (double sigma :
       ExponentialSigmas(*config.sigma_min, *config.sigma_max, steps)) {
    sigmas.push_back(static_cast<float>(sigma));
  }
  return sigmas;
}

}  // namespace

WalkPlan ScoreVeSampler::Plan(const SchedulerConfig& config, int steps,
                              int first_step) {
  std::vector<Look> looks;
  for (double time : Times(config, steps)) {
    const double sigma = static_cast<float>(
        *config.sigma_min *
        std::pow(*config.sigma_max / *config.sigma_min, time));
    looks.push_back({sigma, {1, sigma}});
  }
  return PlanCorrected(looks, config.correct_steps, {1, 0}, first_step);
}

ScoreVeSampler::ScoreVeSampler(const SchedulerConfig& config,
                               const SamplerOptions& options,
                               const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start,
                     *config.sigma_max),
      config_(config),
      sigmas_(DiscreteSigmas(config, options.steps)) {}

at::Tensor ScoreVeSampler::Step(const at::Tensor& prediction) {
  const double sigma = level().sigma;
  denoised_ = latent_ + sigma * sigma * prediction;
  if (done_ % (config_.correct_steps + 1) < config_.correct_steps) {
    return Langevin(latent_, prediction, Draw(), config_.snr, /*alpha=*/1);
  }
  const auto steps = static_cast<int>(sigmas_.size());
  const auto time =
      static_cast<float>(Times(config_, steps)[plan_.steps_done[done_]]);
  const auto index = static_cast<size_t>(time * static_cast<float>(steps - 1));
  const double from = sigmas_[index];
  const double to = index == 0 ? 0 : sigmas_[index - 1];
  const double variance = from * from - to * to;
  const at::Tensor noise = Draw();
  const at::Tensor mean = latent_ + variance * prediction;
  if (done_ == plan_.evaluations() - 1) return mean;
  return mean + std::sqrt(variance) * noise;
}

}  // namespace genzo
