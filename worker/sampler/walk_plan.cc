#include "worker/sampler/walk_plan.h"

#include <algorithm>
#include <cmath>

#include "base/request_rules.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
WalkPlan PlanSteps(const std::vector<double>& timesteps,
                   const std::vector<NoiseLevel>& levels, int first_step) {
  const int steps = static_cast<int>(timesteps.size());
  const int first = std::min(first_step, steps);
  WalkPlan plan = {.timesteps = {timesteps.begin() + first, timesteps.end()},
                   .levels = {levels.begin() + first, levels.end()},
                   .steps_done = {}};
  for (int step = first; step <= steps; ++step) plan.steps_done.push_back(step);
  return plan;
}

WalkPlan PlanTwoStages(const std::vector<Look>& firsts,
                       const std::vector<Look>& seconds, const NoiseLevel& end,
                       int first_step) {
  const int steps = static_cast<int>(firsts.size());
  WalkPlan plan;
  const auto add = [&](const Look& look, int steps_done) {
    plan.timesteps.push_back(look.timestep);
    plan.levels.push_back(look.level);
    plan.steps_done.push_back(steps_done);
  };
  for (int step = first_step; step < steps; ++step) {
    add(firsts[step], step);
    if (step + 1 < steps) add(seconds[step], step);
  }
  plan.levels.push_back(end);
  plan.steps_done.push_back(steps);
  return plan;
}

WalkPlan PlanOverSigmas(const SchedulerConfig& config, int steps,
                        int first_step) {
  const std::vector<float> training =
      TrainingSigmas(MakeAlphasCumprodAboveZero(config));
  std::vector<double> timesteps;
  std::vector<double> sigmas;
  for (double t : SpacedTimesteps(config, steps)) {
    timesteps.push_back(static_cast<float>(t));
    sigmas.push_back(SigmaAt(training, static_cast<float>(t)));
  }
  if (config.log_linear_interpolation) {
    sigmas = ExponentialSigmas(training.back(), training.front(), steps + 1);
  }
  if (config.sigma_spacing != SigmaSpacing::kTimesteps) {
    sigmas = RespacedSigmas(config.sigma_spacing,
                            config.sigma_max.value_or(sigmas.front()),
                            config.sigma_min.value_or(sigmas.back()), steps);
    for (int i = 0; i < steps; ++i) {
      timesteps[i] = static_cast<float>(TimestepOfSigma(training, sigmas[i]));
    }
  }
  sigmas.push_back(config.final_sigma_is_zero ? 0 : training.front());
  for (double& sigma : sigmas) sigma = static_cast<float>(sigma);
  if (config.continuous_timesteps &&
      config.prediction_type == PredictionType::kVelocity) {
    for (int i = 0; i < steps; ++i) timesteps[i] = 0.25 * std::log(sigmas[i]);
  }
  std::vector<NoiseLevel> levels;
  for (int i = 0; i <= steps; ++i) levels.push_back({1, sigmas[i]});
  return PlanSteps(timesteps, levels, first_step);
}

int FirstStepOf(double strength, int steps) {
  return steps - static_cast<int>(StepsWalked(steps, strength));
}

}  // namespace genzo
