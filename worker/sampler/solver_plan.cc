#include "worker/sampler/solver_plan.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/flow_sigmas.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

// Training timesteps below the noisiest one that lambda_min_clipped lets in.
int LastTimestep(const SchedulerConfig& config,
                 const std::vector<float>& training_sigmas) {
  if (!config.lambda_min_clipped.has_value()) {
    return config.num_train_timesteps;
  }
  return static_cast<int>(std::count_if(
      training_sigmas.begin(), training_sigmas.end(), [&](float sigma) {
        return -std::log(static_cast<double>(sigma)) >=
               *config.lambda_min_clipped;
      }));
}

std::vector<double> Spaced(const SchedulerConfig& config, int last, int steps) {
  std::vector<double> timesteps(config.timesteps.begin(),
                                config.timesteps.end());
  if (!timesteps.empty()) return timesteps;
  if (config.timestep_spacing == TimestepSpacing::kLinspace) {
    timesteps = Linspace(0, last - 1, steps + 1);
    std::reverse(timesteps.begin(), timesteps.end());
    timesteps.pop_back();
  } else if (config.timestep_spacing == TimestepSpacing::kLeading) {
    const int stride = last / (steps + 1);  // whole, as the reference has it
    for (int i = steps; i > 0; --i) {
      timesteps.push_back(i * stride + config.steps_offset);
    }
  } else {
    const double ratio =
        static_cast<double>(config.num_train_timesteps) / steps;
    timesteps = TrailingTimesteps(last, ratio, steps);
  }
  for (double& t : timesteps) t = std::nearbyint(t);
  return timesteps;
}

std::vector<double> OwnFlowSigmas(const SchedulerConfig& config, int steps,
                                  const SolverWalk& walk) {
  std::vector<double> sigmas = config.sigmas;
  if (sigmas.empty() && IsOfTable(config.sigma_spacing)) {
    sigmas = TabledFlowSigmas(config, steps);
  } else if (sigmas.empty()) {
    const double cleanest = 1.0 / config.num_train_timesteps;
    sigmas = Linspace(1, cleanest, steps + 1);
    if (walk.flow_gap <= 0) {
      // From the other end, as the reference counts, which truncates them.
      for (double& sigma : sigmas) sigma = 1 - sigma;
      std::reverse(sigmas.begin(), sigmas.end());
    }
    sigmas.pop_back();
  }
  ShiftFlow(config, sigmas);
  if (IsOfEnds(config.sigma_spacing)) {
    sigmas = RespacedSigmas(config.sigma_spacing, sigmas.front(), sigmas.back(),
                            static_cast<int>(sigmas.size()));
  }
  return sigmas;
}

std::vector<double> FlowSigmasOfBetas(const SchedulerConfig& config,
                                      int steps) {
  std::vector<double> sigmas =
      RespacedSigmas(config, TrainingSigmasOf(config), steps);
  for (double& sigma : sigmas) sigma /= sigma + 1;
  return sigmas;
}

WalkPlan PlanFlow(const SchedulerConfig& config, int steps, int first_step,
                  const SolverWalk& walk) {
  const bool of_betas = walk.flow_karras_of_betas && config.sigmas.empty() &&
                        config.sigma_spacing == SigmaSpacing::kKarras;
  std::vector<double> sigmas = of_betas ? FlowSigmasOfBetas(config, steps)
                                        : OwnFlowSigmas(config, steps, walk);
  // The reference's gap; also for what others space.
  const double gap = walk.flow_gap > 0 ? walk.flow_gap : 1e-6;
  sigmas.front() = std::min(sigmas.front(), 1 - gap);
  std::vector<double> timesteps;
  std::vector<NoiseLevel> levels;
  for (double sigma : sigmas) {
    timesteps.push_back(std::trunc(sigma * config.num_train_timesteps));
    levels.push_back(FlowLevel(static_cast<float>(sigma)));
  }
  if (config.final_sigma_is_zero) {
    levels.push_back(FlowLevel(0));
  } else if (walk.respaced_stays) {
    levels.push_back(levels.back());
  } else {  // as the reference has it: that of the betas
    levels.push_back(FlowLevel(TrainingSigmasOf(config).front()));
  }
  return PlanSteps(timesteps, levels, first_step);
}

}  // namespace

WalkPlan PlanSolver(const SchedulerConfig& config, int steps, int first_step,
                    const SolverWalk& walk) {
  if (config.prediction_type == PredictionType::kFlow) {
    return PlanFlow(config, steps, first_step, walk);
  }
  if (config.sigma_data.has_value()) {
    return PlanOverSigmas(config, steps, first_step);
  }
  const std::vector<float> training = TrainingSigmasOf(config);
  std::vector<double> timesteps;
  std::vector<double> sigmas = config.sigmas;
  const bool respaced = config.sigma_spacing != SigmaSpacing::kTimesteps;
  if (sigmas.empty() && !respaced) {
    timesteps = Spaced(config, LastTimestep(config, training), steps);
    for (double t : timesteps) sigmas.push_back(SigmaAt(training, t));
  } else {
    if (sigmas.empty()) sigmas = RespacedSigmas(config, training, steps);
    const bool round = (config.sigma_spacing == SigmaSpacing::kKarras ||
                        config.sigma_spacing == SigmaSpacing::kLuLambdas) &&
                       (walk.always_round ||
                        config.beta_schedule != BetaSchedule::kSquaredCosine);
    for (double sigma : sigmas) {
      const double t = TimestepOfSigma(training, sigma);
      // The reference truncates whatever is not whole.
      timesteps.push_back(std::trunc(round ? std::nearbyint(t) : t));
    }
  }
  const double last =
      respaced && walk.respaced_stays ? sigmas.back() : training.front();
  sigmas.push_back(config.final_sigma_is_zero ? 0 : last);
  std::vector<NoiseLevel> levels;
  for (double sigma : sigmas) {
    levels.push_back(VariancePreserving(static_cast<float>(sigma)));
  }
  return PlanSteps(timesteps, levels, first_step);
}

}  // namespace genzo
