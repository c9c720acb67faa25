#ifndef GENZO_WORKER_SAMPLER_HEUN_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_HEUN_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// Heun's method on the probability flow over sigmas (Karras et al.,
// arXiv:2206.00364, algorithm 1; reference: diffusers' HeunDiscreteScheduler):
// Euler's step, then the same step with the mean of the slopes at both its
// ends. Draws no noise.
class HeunSampler : public TwoStageSampler {
 public:
  static constexpr auto Plan = PlanHeun;
  HeunSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

 protected:
  const char* name() const override { return "heun"; }
  at::Tensor ScaledSample() const override;
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;
  bool keeps_slope() const override { return true; }

 private:
  HeunSampler(const SchedulerConfig& config, const SamplerStart& start,
              const WalkPlan& plan);
  // Of the latent, with respect to sigma. Sets denoised_.
  at::Tensor Slope(const at::Tensor& prediction);

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_HEUN_SAMPLER_H_
