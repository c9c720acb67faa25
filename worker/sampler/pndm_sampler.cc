#include "worker/sampler/pndm_sampler.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

constexpr int kOrder = 4;
constexpr int kRungeKuttaEvaluations = 4 * (kOrder - 1);

// Evaluations of the Runge-Kutta steps: beginning, middle twice and end of each
// of the first kOrder - 1 intervals.
std::vector<double> RungeKuttaTimesteps(const std::vector<int>& whole,
                                        int half_stride) {
  std::vector<double> timesteps;
  for (int i = 0; i + 1 < kOrder; ++i) {
    const double middle = whole[i + 1] + half_stride;
    timesteps.insert(timesteps.end(),
                     {static_cast<double>(whole[i]), middle, middle,
                      static_cast<double>(whole[i + 1])});
  }
  return timesteps;
}

// With the first step's second look, which counts as part of it.
std::vector<double> MultistepTimesteps(const std::vector<int>& whole,
                                       int first_step) {
  std::vector<double> timesteps(whole.begin(), whole.end());
  if (whole.size() > 1) timesteps.insert(timesteps.begin() + 1, whole[1]);
  timesteps.erase(timesteps.begin(), timesteps.begin() + first_step);
  return timesteps;
}

bool StartsWithRungeKutta(const SchedulerConfig& config, int first_step) {
  return !config.skip_prk_steps && first_step == 0;
}

}  // namespace

int PndmSampler::MinSteps(const SchedulerConfig& config) {
  return config.skip_prk_steps ? 1 : kOrder;
}

WalkPlan PndmSampler::Plan(const SchedulerConfig& config, int steps,
                           int first_step) {
  const std::vector<int> whole = WholeTimesteps(config, steps);
  const int stride = config.num_train_timesteps / steps;
  WalkPlan plan;
  if (StartsWithRungeKutta(config, first_step)) {
    plan.timesteps = RungeKuttaTimesteps(whole, stride / 2);
    for (int i = 0; i < kRungeKuttaEvaluations; ++i) {
      plan.steps_done.push_back(i / 4);
    }
    plan.timesteps.insert(plan.timesteps.end(), whole.begin() + kOrder - 1,
                          whole.end());
  } else {
    plan.timesteps = MultistepTimesteps(whole, first_step);
    if (plan.evaluations() > 1) plan.steps_done.push_back(first_step);
  }
  // From here on an evaluation is a step.
  int step =
      steps - (plan.evaluations() - static_cast<int>(plan.steps_done.size()));
  while (step <= steps) plan.steps_done.push_back(step++);

  // It divides by the signal's share.
  const std::vector<float> alphas_cumprod = MakeAlphasCumprodAboveZero(config);
  for (double t : plan.timesteps) {
    plan.levels.push_back(
        LevelOf(AlphaProdAt(config, alphas_cumprod, static_cast<int>(t))));
  }
  plan.levels.push_back(
      LevelOf(AlphaProdAt(config, alphas_cumprod, whole.back() - stride)));
  return plan;
}

PndmSampler::PndmSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config),
      stride_(config.num_train_timesteps / options.steps),
      runge_kutta_evaluations_(StartsWithRungeKutta(config, start.first_step)
                                   ? kRungeKuttaEvaluations
                                   : 0),
      alphas_cumprod_(MakeAlphasCumprodAboveZero(config)) {}

at::Tensor PndmSampler::Step(const at::Tensor& prediction) {
  return Transfer(done_ < runge_kutta_evaluations_ ? RungeKuttaMove(prediction)
                                                   : MultistepMove(prediction));
}

PndmSampler::Move PndmSampler::RungeKuttaMove(const at::Tensor& prediction) {
  const int part = done_ % 4;
  const int from = static_cast<int>(plan_.timesteps[done_ - part]);
  const int to =
      static_cast<int>(timestep()) - (done_ % 2 == 1 ? 0 : stride_ / 2);
  if (part == 0) {
    runge_kutta_sum_ = prediction / 6;
    history_.push_back(prediction);
    step_sample_ = latent_;
    return {prediction, step_sample_, from, to};
  }
  if (part == 3) {
    return {runge_kutta_sum_ + prediction / 6, step_sample_, from, to};
  }
  runge_kutta_sum_ = runge_kutta_sum_ + prediction / 3;
  return {prediction, step_sample_, from, to};
}

PndmSampler::Move PndmSampler::MultistepMove(const at::Tensor& prediction) {
  const int t = static_cast<int>(timestep());
  if (done_ == 1) {
    // The second look at the first interval's end repeats the first step with
    // the mean of both predictions.
    return {(prediction + history_.back()) / 2, step_sample_, t + stride_, t};
  }
  if (history_.size() == kOrder) history_.pop_front();
  history_.push_back(prediction);
  step_sample_ = latent_;
  const auto past = [&](size_t back) {
    return history_[history_.size() - 1 - back];
  };
  at::Tensor combined = prediction;
  if (history_.size() == 2) {
    combined = (3 * past(0) - past(1)) / 2;
  } else if (history_.size() == 3) {
    combined = (23 * past(0) - 16 * past(1) + 5 * past(2)) / 12;
  } else if (history_.size() == 4) {
    combined = (55 * past(0) - 59 * past(1) + 37 * past(2) - 9 * past(3)) / 24;
  }
  return {combined, latent_, t, t - stride_};
}

at::Tensor PndmSampler::Transfer(const Move& move) {
  const double alpha_prod =
      AlphaProdAt(config_, alphas_cumprod_, move.from_timestep);
  const double alpha_prod_to =
      AlphaProdAt(config_, alphas_cumprod_, move.to_timestep);
  const double beta_prod = 1 - alpha_prod;
  const NoiseLevel level = LevelOf(alpha_prod);
  const at::Tensor noise = NoiseEstimate(config_.prediction_type,
                                         move.prediction, move.sample, level);
  denoised_ = CleanEstimate(config_.prediction_type, move.prediction,
                            move.sample, level);
  const double denominator = alpha_prod * std::sqrt(1 - alpha_prod_to) +
                             std::sqrt(alpha_prod * beta_prod * alpha_prod_to);
  return std::sqrt(alpha_prod_to / alpha_prod) * move.sample -
         (alpha_prod_to - alpha_prod) / denominator * noise;
}

int PndmSampler::HistoryLength(int evaluations) const {
  const int runge_kutta = std::min(evaluations, runge_kutta_evaluations_);
  const int multistep = evaluations - runge_kutta;
  const bool looked_twice = runge_kutta_evaluations_ == 0 && multistep > 1;
  return std::min((runge_kutta + 3) / 4 + multistep - (looked_twice ? 1 : 0),
                  kOrder);
}

void PndmSampler::Save(SamplerState& state) const {
  PlannedSampler::Save(state);
  if (done_ > 0) state.SetTensor("step_sample", step_sample_);
  if (done_ > 0 && done_ < runge_kutta_evaluations_) {
    state.SetTensor("runge_kutta_sum", runge_kutta_sum_);
  }
}

absl::Status PndmSampler::Restore(const SamplerState& state) {
  if (absl::Status common = PlannedSampler::Restore(state); !common.ok()) {
    return common;
  }
  StateReader reader(state);
  if (done_ > 0) step_sample_ = reader.Tensor("step_sample", latent_);
  if (done_ > 0 && done_ < runge_kutta_evaluations_) {
    runge_kutta_sum_ = reader.Tensor("runge_kutta_sum", latent_);
  }
  return reader.status();
}

}  // namespace genzo
