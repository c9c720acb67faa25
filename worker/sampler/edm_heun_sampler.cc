#include "worker/sampler/edm_heun_sampler.h"

#include <cmath>

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {
namespace {

// The first look of each step moves up; the denoiser is told so.
WalkPlan Raise(WalkPlan plan, const SchedulerConfig& config,
               const SamplerOptions& options) {
  const std::vector<float> training = TrainingSigmasOf(config);
  for (int i = 0; i < plan.evaluations(); i += 2) {
    const double sigma = plan.levels[i].sigma;
    const double raised =
        sigma * (1 + options.churn.GammaAt(sigma, options.steps));
    if (raised == sigma) continue;
    plan.levels[i].sigma = raised;
    plan.timesteps[i] = TimestepOfSigma(config, training, raised);
  }
  return plan;
}

}  // namespace

WalkPlan EdmHeunSampler::Plan(const SchedulerConfig& config, int steps,
                              int first_step) {
  return PlanHeun(config, steps, first_step);
}

EdmHeunSampler::EdmHeunSampler(const SchedulerConfig& config,
                               const SamplerOptions& options,
                               const SamplerStart& start)
    : EdmHeunSampler(config, options, start,
                     Plan(config, options.steps, start.first_step)) {}

EdmHeunSampler::EdmHeunSampler(const SchedulerConfig& config,
                               const SamplerOptions& options,
                               const SamplerStart& start,
                               const WalkPlan& unraised)
    : TwoStageSampler(Raise(unraised, config, options), start),
      config_(config),
      churn_(options.churn),
      unraised_(unraised.levels) {
  // The base has begun at the raised level, which is noisier than the start is.
  const NoiseLevel& first = unraised_[0];
  latent_ = Raised(start.sample.defined()
                       ? Noised(start.sample, start.noise, first)
                       : start.noise * InitialSigma(config, first.sigma),
                   /*done=*/0);
}

at::Tensor EdmHeunSampler::Raised(const at::Tensor& sample, int done) {
  const double from = unraised_[done].sigma;
  const double to = plan_.levels[done].sigma;
  if (to <= from) return sample;
  return sample + Draw() * (churn_.noise * std::sqrt(to * to - from * from));
}

at::Tensor EdmHeunSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor EdmHeunSampler::Slope(const at::Tensor& prediction) {
  denoised_ =
      Clipped(config_, CleanEstimate(config_, prediction, latent_, level()));
  return (latent_ - denoised_) / level().sigma;
}

at::Tensor EdmHeunSampler::First(const at::Tensor& prediction) {
  first_slope_ = Slope(prediction);
  return latent_ + first_slope_ * (unraised_[done_ + 1].sigma - level().sigma);
}

at::Tensor EdmHeunSampler::Second(const at::Tensor& prediction) {
  const at::Tensor mean = (first_slope_ + Slope(prediction)) / 2;
  const double step =
      unraised_[done_ + 1].sigma - plan_.levels[done_ - 1].sigma;
  return Raised(step_sample_ + mean * step, done_ + 1);
}

}  // namespace genzo
