#include "worker/sampler/dpmpp_multistep_sampler.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

// Below this many steps a walk ends with lower orders (reference: 15).
constexpr int kFewSteps = 15;

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

// One more step than asked for is spaced out and the cleanest dropped, so that
// the walk's last move is to sigma 0.
std::vector<double> Spaced(const SchedulerConfig& config, int last, int steps) {
  std::vector<double> timesteps;
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
    for (int i = 0; i < steps && last - i * ratio > 0; ++i) {
      timesteps.push_back(std::nearbyint(last - i * ratio) - 1);
    }
  }
  for (double& t : timesteps) t = std::nearbyint(t);
  return timesteps;
}

}  // namespace

WalkPlan DpmppMultistepSampler::Plan(const SchedulerConfig& config, int steps,
                                     int first_step) {
  const std::vector<float> training =
      TrainingSigmas(MakeAlphasCumprodAboveZero(config));
  std::vector<double> timesteps;
  std::vector<double> sigmas;
  if (config.sigma_spacing == SigmaSpacing::kTimesteps) {
    timesteps = Spaced(config, LastTimestep(config, training), steps);
    for (double t : timesteps) sigmas.push_back(SigmaAt(training, t));
  } else {
    const bool karras = config.sigma_spacing == SigmaSpacing::kKarras;
    sigmas = RespacedSigmas(config.sigma_spacing, training.back(),
                            training.front(), steps);
    // The reference rounds Karras' timesteps except with cosine betas, and
    // truncates whatever is not whole.
    const bool round =
        karras && config.beta_schedule != BetaSchedule::kSquaredCosine;
    for (double sigma : sigmas) {
      const double t = TimestepOfSigma(training, sigma);
      timesteps.push_back(std::trunc(round ? std::nearbyint(t) : t));
    }
  }
  sigmas.push_back(config.final_sigma_is_zero ? 0 : training.front());
  std::vector<NoiseLevel> levels;
  for (double sigma : sigmas) {
    levels.push_back(VariancePreserving(static_cast<float>(sigma)));
  }
  return PlanSteps(timesteps, levels, first_step);
}

DpmppMultistepSampler::DpmppMultistepSampler(const SchedulerConfig& config,
                                             const SamplerOptions& options,
                                             const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config) {}

int DpmppMultistepSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, config_.solver_order);
}

int DpmppMultistepSampler::Order() const {
  const bool few = config_.lower_order_final && plan_.steps() < kFewSteps;
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
  const NoiseLevel& level = plan_.levels[index];
  return std::log(level.alpha) - std::log(level.sigma);
}

at::Tensor DpmppMultistepSampler::Step(const at::Tensor& prediction) {
  denoised_ =
      CleanEstimate(config_.prediction_type, prediction, latent_, level());
  if (config_.thresholding) {
    denoised_ = DynamicThreshold(denoised_, config_.dynamic_thresholding_ratio,
                                 config_.sample_max_value);
  }
  if (history_.size() == static_cast<size_t>(config_.solver_order)) {
    history_.pop_front();
  }
  history_.push_back(denoised_);
  return Solve(Order());
}

at::Tensor DpmppMultistepSampler::Solve(int order) const {
  const NoiseLevel& to = plan_.levels[done_ + 1];
  const NoiseLevel& from = plan_.levels[done_];
  const double h = Lambda(done_ + 1) - Lambda(done_);
  const double decay = std::expm1(-h);  // exp(-h) - 1
  const auto m = [&](size_t back) {
    return history_[history_.size() - 1 - back];
  };
  const at::Tensor first =
      (to.sigma / from.sigma) * latent_ - (to.alpha * decay) * m(0);
  if (order == 1) return first;
  const double r0 = (Lambda(done_) - Lambda(done_ - 1)) / h;
  const at::Tensor slope0 = (m(0) - m(1)) / r0;
  const double slope_weight = to.alpha * (decay / h + 1);
  if (order == 2) {
    return config_.heun ? first + slope_weight * slope0
                        : first - (0.5 * to.alpha * decay) * slope0;
  }
  const double r1 = (Lambda(done_ - 1) - Lambda(done_ - 2)) / h;
  const at::Tensor slope1 = (m(1) - m(2)) / r1;
  const at::Tensor slope = slope0 + (r0 / (r0 + r1)) * (slope0 - slope1);
  const at::Tensor curve = (slope0 - slope1) / (r0 + r1);
  return first + slope_weight * slope -
         (to.alpha * ((decay + h) / (h * h) - 0.5)) * curve;
}

}  // namespace genzo
