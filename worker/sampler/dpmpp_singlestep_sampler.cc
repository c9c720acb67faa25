#include "worker/sampler/dpmpp_singlestep_sampler.h"

#include <algorithm>

#include "worker/sampler/dpm_solver.h"
#include "worker/sampler/solver_plan.h"

namespace genzo {
namespace {

// Within a group the order rises from 1: with order 3 and 8 steps
// 1 2 3 1 2 3 1 2. Lower orders end the walk unless the file says no, steps
// fill whole groups, and the walk does not end at sigma 0.
std::vector<int> OrdersOf(const SchedulerConfig& config, int steps) {
  const int order = config.solver_order;
  std::vector<int> orders;
  for (int i = 0; i < steps; ++i) orders.push_back(1 + i % order);
  const bool full_groups = steps % order == 0;
  const bool lower_final =
      config.lower_order_final || !full_groups || config.final_sigma_is_zero;
  if (lower_final && full_groups) {
    // The last group is cut by one, which becomes a step of its own.
    orders.back() = 1;
  }
  if (config.final_sigma_is_zero) orders.back() = 1;
  return orders;
}

}  // namespace

WalkPlan DpmppSinglestepSampler::Plan(const SchedulerConfig& config, int steps,
                                      int first_step) {
  return PlanSolver(config, steps, first_step, {});
}

DpmppSinglestepSampler::DpmppSinglestepSampler(const SchedulerConfig& config,
                                               const SamplerOptions& options,
                                               const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config),
      orders_(OrdersOf(config, options.steps)) {}

int DpmppSinglestepSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, config_.solver_order);
}

at::Tensor DpmppSinglestepSampler::Step(const at::Tensor& prediction) {
  if (history_.size() == static_cast<size_t>(config_.solver_order)) {
    history_.pop_front();
  }
  history_.push_back(
      DpmValue(config_, prediction, latent_, level(), denoised_));
  const int order = std::min(orders_[plan_.steps_done[done_]],
                             static_cast<int>(history_.size()));
  if (order == 1) group_sample_ = latent_;
  const at::Tensor next = Solve(order);
  if (!config_.stochastic_sampling) return next;
  const double weight = DpmMoveOf(config_, plan_.levels[done_ + 1 - order],
                                  plan_.levels[done_ + 1])
                            .noise;
  return next + weight * Draw();
}

at::Tensor DpmppSinglestepSampler::Solve(int order) const {
  const int begin = done_ + 1 - order;
  const DpmMove move =
      DpmMoveOf(config_, plan_.levels[begin], plan_.levels[done_ + 1]);
  const auto value = [&](int index) {  // of the evaluation `index`
    return history_[history_.size() - 1 - (done_ - index)];
  };
  const at::Tensor first =
      move.sample * group_sample_ + move.value * value(begin);
  if (order == 1) return first;
  const double from = LambdaOf(plan_.levels[begin]);
  const double h = LambdaOf(plan_.levels[done_ + 1]) - from;
  // Slope between the group's begin and evaluation `index`, over the move.
  const auto at = [&](int index) {
    return (LambdaOf(plan_.levels[index]) - from) / h;
  };
  const auto slope_to = [&](int index) {
    return (value(index) - value(begin)) / at(index);
  };
  const at::Tensor far = slope_to(done_);
  if (order == 2) {
    return first + (config_.heun ? move.slope : move.midpoint) * far;
  }
  if (!config_.heun) return first + move.slope * far;
  const double r0 = at(done_);
  const double r1 = at(done_ - 1);
  const at::Tensor near = slope_to(done_ - 1);
  const at::Tensor slope = (r0 * near - r1 * far) / (r0 - r1);
  const at::Tensor curve = 2 * (far - near) / (r0 - r1);
  return first + move.slope * slope + move.curve * curve;
}

void DpmppSinglestepSampler::Save(SamplerState& state) const {
  PlannedSampler::Save(state);
  if (done_ > 0) state.SetTensor("group_sample", group_sample_);
}

absl::Status DpmppSinglestepSampler::Restore(const SamplerState& state) {
  if (absl::Status common = PlannedSampler::Restore(state); !common.ok()) {
    return common;
  }
  if (done_ == 0) return absl::OkStatus();
  StateReader reader(state);
  group_sample_ = reader.Tensor("group_sample", latent_);
  return reader.status();
}

}  // namespace genzo
