#include "worker/sampler/noise_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cumprod.h"
#include "ATen/ops/linspace.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

std::vector<float> ToVector(const at::Tensor& tensor) {
  const at::Tensor t = tensor.contiguous();
  return {t.const_data_ptr<float>(), t.const_data_ptr<float>() + t.numel()};
}

at::Tensor ToTensor(const std::vector<float>& values) {
  return at::tensor(at::ArrayRef<float>(values));
}

// Betas whose alpha products follow a squared cosine (arXiv:2102.09672).
std::vector<float> SquaredCosineBetas(int count) {
  constexpr double kMaxBeta = 0.999;
  const auto alpha_bar = [](double t) {
    const double c = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
    return c * c;
  };
  std::vector<float> betas;
  for (int i = 0; i < count; ++i) {
    const double ratio = alpha_bar((i + 1.0) / count) /
                         alpha_bar(static_cast<double>(i) / count);
    betas.push_back(static_cast<float>(std::min(1 - ratio, kMaxBeta)));
  }
  return betas;
}

// Shifts and scales the square roots of the alpha products so that the last is
// 0 and the first stays (arXiv:2305.08891, algorithm 1).
at::Tensor RescaleToZeroTerminalSnr(const at::Tensor& betas) {
  at::Tensor roots = at::cumprod(1.0 - betas, 0).sqrt();
  const at::Tensor first = roots[0].clone();
  const at::Tensor last = roots[-1].clone();
  roots = (roots - last) * (first / (first - last));
  const at::Tensor products = roots.square();
  at::Tensor alphas = products.clone();
  alphas.slice(0, 1).copy_(products.slice(0, 1) /
                           products.slice(0, 0, products.size(0) - 1));
  return 1.0 - alphas;
}

}  // namespace

std::vector<float> MakeBetas(const SchedulerConfig& config) {
  const int count = config.num_train_timesteps;
  const auto linspace = [&](double from, double to) {
    return at::linspace(from, to, count, at::kFloat);
  };
  at::Tensor betas;
  if (!config.trained_betas.empty()) {
    betas = ToTensor(config.trained_betas);
  } else if (config.beta_schedule == BetaSchedule::kLinear) {
    betas = linspace(config.beta_start, config.beta_end);
  } else if (config.beta_schedule == BetaSchedule::kScaledLinear) {
    betas = linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end))
                .square();
  } else {
    betas = ToTensor(SquaredCosineBetas(count));
  }
  if (config.rescale_betas_zero_snr) betas = RescaleToZeroTerminalSnr(betas);
  return ToVector(betas);
}

std::vector<float> MakeAlphasCumprod(const SchedulerConfig& config) {
  return ToVector(at::cumprod(1.0 - ToTensor(MakeBetas(config)), 0));
}

absl::Status CheckAlphasCumprod(const SchedulerConfig& config) {
  const std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  for (size_t i = 0; i < alphas_cumprod.size(); ++i) {
    const float a = alphas_cumprod[i];
    const bool may_be_zero =
        config.rescale_betas_zero_snr && i + 1 == alphas_cumprod.size();
    if ((a > 0 && a <= 1) || (may_be_zero && a == 0)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the betas give timestep ", i, " a share of signal of ", a,
                     ", not over 0 and at most 1"));
  }
  return absl::OkStatus();
}

std::vector<float> MakeAlphasCumprodAboveZero(const SchedulerConfig& config) {
  std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  if (config.rescale_betas_zero_snr) {
    alphas_cumprod.back() = std::exp2f(-24);
  }
  return alphas_cumprod;
}

double AlphaProdAt(const SchedulerConfig& config,
                   const std::vector<float>& alphas_cumprod, int timestep) {
  if (timestep < 0) return config.set_alpha_to_one ? 1.0 : alphas_cumprod[0];
  const auto last = static_cast<int>(alphas_cumprod.size()) - 1;
  return alphas_cumprod[std::min(timestep, last)];
}

NoiseLevel LevelOf(double alpha_prod) {
  return {.alpha = std::sqrt(alpha_prod), .sigma = std::sqrt(1 - alpha_prod)};
}

}  // namespace genzo
