#include "worker/sampler/dpmpp_multistep_sampler.h"

#include <algorithm>

#include "worker/sampler/dpm_solver.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/solver_plan.h"

namespace genzo {
WalkPlan DpmppMultistepSampler::Plan(const SchedulerConfig& config, int steps,
                                     int first_step) {
  return PlanSolver(config, steps, first_step, {.always_round = false});
}

DpmppMultistepSampler::DpmppMultistepSampler(const SchedulerConfig& config,
                                             const SamplerOptions& options,
                                             const SamplerStart& start)
    : DpmppMultistepSampler(config, start,
                            Plan(config, options.steps, start.first_step)) {}

DpmppMultistepSampler::DpmppMultistepSampler(const SchedulerConfig& config,
                                             const SamplerStart& start,
                                             const WalkPlan& plan)
    : PlannedSampler(plan, start,
                     config.sigma_data.has_value()
                         ? InitialSigma(config, plan.levels[0].sigma)
                         : 1),
      config_(config) {}

at::Tensor DpmppMultistepSampler::ScaledSample() const {
  return config_.sigma_data.has_value()
             ? ScaledForNetwork(config_, latent_, level())
             : latent_;
}

int DpmppMultistepSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, config_.solver_order);
}

int DpmppMultistepSampler::Order() const {
  const bool few = config_.lower_order_final && plan_.steps() < kFewSolverSteps;
  const bool last = done_ == plan_.evaluations() - 1;
  const bool second_last = done_ == plan_.evaluations() - 2;
  int order = std::min(config_.solver_order, static_cast<int>(history_.size()));
  if (second_last && few) order = std::min(order, 2);
  if (last && (few || config_.euler_at_final || config_.final_sigma_is_zero)) {
    order = 1;
  }
  return order;
}

double DpmppMultistepSampler::Lambda(int index) const {
  return LambdaOf(plan_.levels[index]);
}

at::Tensor DpmppMultistepSampler::Step(const at::Tensor& prediction) {
  if (history_.size() == static_cast<size_t>(config_.solver_order)) {
    history_.pop_front();
  }
  history_.push_back(
      DpmValue(config_, prediction, latent_, level(), denoised_));
  const at::Tensor next = Solve(Order());
  if (!config_.stochastic_sampling) return next;
  const double weight =
      DpmMoveOf(config_, level(), plan_.levels[done_ + 1]).noise;
  return next + weight * Draw();
}

at::Tensor DpmppMultistepSampler::Solve(int order) const {
  const DpmMove move = DpmMoveOf(config_, level(), plan_.levels[done_ + 1]);
  const auto value = [&](size_t back) {
    return history_[history_.size() - 1 - back];
  };
  const at::Tensor first = move.sample * latent_ + move.value * value(0);
  const double h = Lambda(done_ + 1) - Lambda(done_);
  if (order == 1 || h == 0) return first;
  const double r0 = (Lambda(done_) - Lambda(done_ - 1)) / h;
  const at::Tensor slope0 = (value(0) - value(1)) / r0;
  if (order == 2) {
    return first + (config_.heun ? move.slope : move.midpoint) * slope0;
  }
  const double r1 = (Lambda(done_ - 1) - Lambda(done_ - 2)) / h;
  const at::Tensor slope1 = (value(1) - value(2)) / r1;
  const at::Tensor curve = (slope0 - slope1) / (r0 + r1);
  return first + move.slope * (slope0 + r0 * curve) + move.curve * curve;
}

}  // namespace genzo
