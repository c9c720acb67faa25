#include "worker/sampler/walk_plan.h"

#include <algorithm>
#include <cmath>

#include "base/request_rules.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

std::vector<Look> EdmLooks(const SchedulerConfig& config, int steps) {
  std::vector<double> sigmas = config.sigmas;
  if (sigmas.empty()) {
    sigmas = RespacedSigmas(config.sigma_spacing, *config.sigma_max,
                            *config.sigma_min, steps, config.rho);
    // The reference counts these from the least, and turns them round.
    if (config.sigma_spacing == SigmaSpacing::kExponential && steps == 1) {
      sigmas = {*config.sigma_min};
    }
  }
  std::vector<Look> looks;
  for (double exact : sigmas) {
    const double sigma = static_cast<float>(exact);
    looks.push_back({NoiseTold(sigma), {1, sigma}});
  }
  return looks;
}

// Where a walk over sigmas ends that does not end at the picture.
double CleanestSigma(const SchedulerConfig& config) {
  // In float32, as all others: where it is the last of them, too, the walk is
  // not to rise.
  return config.sigma_data.has_value() ? static_cast<float>(*config.sigma_min)
                                       : TrainingSigmasOf(config).front();
}

}  // namespace

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

std::vector<Look> LooksOverSigmas(const SchedulerConfig& config, int steps) {
  if (config.sigma_data.has_value()) return EdmLooks(config, steps);
  const std::vector<float> training = TrainingSigmasOf(config);
  std::vector<double> timesteps;
  std::vector<double> sigmas;
  for (double t : SpacedTimesteps(config, steps)) {
    timesteps.push_back(static_cast<float>(t));
    sigmas.push_back(SigmaAt(training, static_cast<float>(t)));
  }
  if (config.log_linear_interpolation) {
    sigmas = ExponentialSigmas(training.back(), training.front(), steps + 1);
  }
  const bool respaced = config.sigma_spacing != SigmaSpacing::kTimesteps;
  if (!config.sigmas.empty()) {
    sigmas = config.sigmas;
  } else if (IsOfEnds(config.sigma_spacing)) {
    sigmas = RespacedSigmas(config.sigma_spacing,
                            config.sigma_max.value_or(sigmas.front()),
                            config.sigma_min.value_or(sigmas.back()), steps);
  } else if (respaced) {
    sigmas = RespacedSigmas(config, training, steps);
  }
  if (respaced || !config.sigmas.empty()) {
    for (int i = 0; i < steps; ++i) {
      timesteps[i] = static_cast<float>(TimestepOfSigma(training, sigmas[i]));
    }
  }
  std::vector<Look> looks;
  for (int i = 0; i < steps; ++i) {
    const double sigma = static_cast<float>(sigmas[i]);
    const bool continuous = config.continuous_timesteps &&
                            config.prediction_type == PredictionType::kVelocity;
    looks.push_back({continuous ? NoiseTold(sigma) : timesteps[i], {1, sigma}});
  }
  return looks;
}

WalkPlan PlanOverSigmas(const SchedulerConfig& config, int steps,
                        int first_step) {
  std::vector<double> timesteps;
  std::vector<NoiseLevel> levels;
  for (const Look& look : LooksOverSigmas(config, steps)) {
    timesteps.push_back(look.timestep);
    levels.push_back(look.level);
  }
  // One more sigma is interpolated, and ends the walk.
  const bool interpolated = config.log_linear_interpolation &&
                            config.sigmas.empty() &&
                            config.sigma_spacing == SigmaSpacing::kTimesteps;
  const bool ends_at_zero = config.final_sigma_is_zero && !interpolated;
  levels.push_back({1, ends_at_zero ? 0 : CleanestSigma(config)});
  return PlanSteps(timesteps, levels, first_step);
}

WalkPlan PlanHeun(const SchedulerConfig& config, int steps, int first_step) {
  const std::vector<Look> looks = LooksOverSigmas(config, steps);
  const std::vector<Look> ends(looks.begin() + 1, looks.end());
  return PlanTwoStages(looks, ends, {1, 0}, first_step);
}

WalkPlan PlanMiddles(const SchedulerConfig& config, int steps, int first_step,
                     const MiddleWalk& walk) {
  const std::vector<float> training = TrainingSigmasOf(config);
  std::vector<Look> firsts = LooksOverSigmas(config, steps);
  std::vector<Look> seconds;
  for (size_t i = 0; i + 1 < firsts.size(); ++i) {
    const double from = firsts[i].level.sigma;
    const double to = firsts[i + 1].level.sigma;
    const double middle =
        std::sqrt(from * (walk.ancestral ? AncestralStep(from, to).down : to));
    seconds.push_back({TimestepOfSigma(config, training, middle), {1, middle}});
  }
  if (walk.whole && config.sigma_spacing == SigmaSpacing::kKarras &&
      !config.sigma_data.has_value()) {
    for (Look& look : firsts) look.timestep = std::nearbyint(look.timestep);
  }
  return PlanTwoStages(firsts, seconds, {1, 0}, first_step);
}

int FirstStepOf(double strength, int steps) {
  return steps - static_cast<int>(StepsWalked(steps, strength));
}

}  // namespace genzo
