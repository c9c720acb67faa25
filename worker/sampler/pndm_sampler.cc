#include "worker/sampler/pndm_sampler.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

constexpr int kOrder = 4;

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

std::vector<double> Timesteps(const SchedulerConfig& config, int steps) {
  const std::vector<int> whole = WholeTimesteps(config, steps);
  std::vector<double> timesteps;
  if (config.skip_prk_steps) {
    timesteps.assign(whole.begin(), whole.end());
    if (whole.size() > 1) timesteps.insert(timesteps.begin() + 1, whole[1]);
    return timesteps;
  }
  timesteps =
      RungeKuttaTimesteps(whole, config.num_train_timesteps / steps / 2);
  timesteps.insert(timesteps.end(), whole.begin() + kOrder - 1, whole.end());
  return timesteps;
}

}  // namespace

PndmSampler::PndmSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : SteppedSampler(start.noise, Timesteps(config, options.steps)),
      config_(config),
      stride_(config.num_train_timesteps / options.steps),
      runge_kutta_steps_(config.skip_prk_steps ? 0 : 4 * (kOrder - 1)),
      alphas_cumprod_(MakeAlphasCumprod(config)) {}

double PndmSampler::AlphaProd(int timestep) const {
  if (timestep < 0) return config_.set_alpha_to_one ? 1.0 : alphas_cumprod_[0];
  const int last = config_.num_train_timesteps - 1;
  return alphas_cumprod_[std::min(timestep, last)];
}

at::Tensor PndmSampler::Step(const at::Tensor& prediction) {
  return Transfer(index_ < runge_kutta_steps_ ? RungeKuttaMove(prediction)
                                              : MultistepMove(prediction));
}

PndmSampler::Move PndmSampler::RungeKuttaMove(const at::Tensor& prediction) {
  const int part = index_ % 4;
  const int from = static_cast<int>(timesteps_[index_ - part]);
  const int to =
      static_cast<int>(timestep()) - (index_ % 2 == 1 ? 0 : stride_ / 2);
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
  if (index_ == 1) {
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
  const double alpha_prod = AlphaProd(move.from_timestep);
  const double alpha_prod_to = AlphaProd(move.to_timestep);
  const double beta_prod = 1 - alpha_prod;
  const NoiseLevel level = {std::sqrt(alpha_prod), std::sqrt(beta_prod)};
  const at::Tensor noise = NoiseEstimate(config_.prediction_type,
                                         move.prediction, move.sample, level);
  denoised_ = CleanEstimate(config_.prediction_type, move.prediction,
                            move.sample, level);
  const double denominator = alpha_prod * std::sqrt(1 - alpha_prod_to) +
                             std::sqrt(alpha_prod * beta_prod * alpha_prod_to);
  return std::sqrt(alpha_prod_to / alpha_prod) * move.sample -
         (alpha_prod_to - alpha_prod) / denominator * noise;
}

}  // namespace genzo
