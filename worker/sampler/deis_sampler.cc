#include "worker/sampler/deis_sampler.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/dpm_solver.h"
#include "worker/sampler/solver_plan.h"

namespace genzo {
namespace {

// Antiderivatives at `t` of Lagrange's polynomials in log rho that are 1 at `b`
// and 0 at the others.
// In float32 and the reference's order: of what they cancel, rounding is left.
float LinearIntegral(float t, float b, float c) {
  return t * (-std::log(c) + std::log(t) - 1) / (std::log(b) - std::log(c));
}

float QuadraticIntegral(float t, float b, float c, float d) {
  const float x = std::log(t);
  const float lc = std::log(c);
  const float ld = std::log(d);
  const float numerator =
      t * (lc * (ld - x + 1) - ld * x + ld + x * x - 2 * x + 2);
  return numerator / ((std::log(b) - lc) * (std::log(b) - ld));
}

}  // namespace

WalkPlan DeisSampler::Plan(const SchedulerConfig& config, int steps,
                           int first_step) {
  return PlanSolver(config, steps, first_step, {.respaced_stays = true});
}

DeisSampler::DeisSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config) {}

int DeisSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, config_.solver_order);
}

int DeisSampler::Order() const {
  const int order =
      std::min(config_.solver_order, static_cast<int>(history_.size()));
  const bool few = config_.lower_order_final && plan_.steps() < kFewSolverSteps;
  return few ? std::min(order, plan_.evaluations() - done_) : order;
}

at::Tensor DeisSampler::Step(const at::Tensor& prediction) {
  if (history_.size() == static_cast<size_t>(config_.solver_order)) {
    history_.pop_front();
  }
  history_.push_back(
      DpmValue(config_, prediction, latent_, level(), denoised_));
  const NoiseLevel& to = plan_.levels[done_ + 1];
  const auto noise = [&](size_t back) {
    return history_[history_.size() - 1 - back];
  };
  const int order = Order();
  if (order == 1) {
    const DpmMove move = DpmMoveOf(config_, level(), to);
    return move.sample * latent_ + move.value * noise(0);
  }
  const auto rho = [&](int index) {
    return static_cast<float>(plan_.levels[index].sigma) /
           static_cast<float>(plan_.levels[index].alpha);
  };
  const float t = rho(done_ + 1);
  const float s0 = rho(done_);
  const float s1 = rho(done_ - 1);
  at::Tensor sum = latent_ / level().alpha;
  if (order == 2) {
    sum = sum +
          (LinearIntegral(t, s0, s1) - LinearIntegral(s0, s0, s1)) * noise(0) +
          (LinearIntegral(t, s1, s0) - LinearIntegral(s0, s1, s0)) * noise(1);
  } else {
    const float s2 = rho(done_ - 2);
    const auto weight = [&](float b, float c, float d) {
      return QuadraticIntegral(t, b, c, d) - QuadraticIntegral(s0, b, c, d);
    };
    sum = sum + weight(s0, s1, s2) * noise(0) + weight(s1, s2, s0) * noise(1) +
          weight(s2, s0, s1) * noise(2);
  }
  return to.alpha * sum;
}

}  // namespace genzo
