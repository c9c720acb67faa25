#ifndef GENZO_WORKER_SAMPLER_EDM_HEUN_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_EDM_HEUN_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// Heun's method with churn (Karras et al., arXiv:2206.00364, algorithm 2;
// reference: k-diffusion's sample_heun): each step first goes up to a noisier
// level, by SamplerOptions::churn, and then down from there. The noise is in
// the latent before the denoiser looks, so level() is the raised one. Without
// churn it is HeunSampler.
class EdmHeunSampler : public TwoStageSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  EdmHeunSampler(const SchedulerConfig& config, const SamplerOptions& options,
                 const SamplerStart& start);

 protected:
  const char* name() const override { return "edm_heun"; }
  at::Tensor ScaledSample() const override;
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;
  bool keeps_slope() const override { return true; }

 private:
  EdmHeunSampler(const SchedulerConfig& config, const SamplerOptions& options,
                 const SamplerStart& start, const WalkPlan& unraised);
  // `sample`, which is at the level where evaluation `done` is planned
  // without churn, raised to where it is.
  at::Tensor Raised(const at::Tensor& sample, int done);
  at::Tensor Slope(const at::Tensor& prediction);

  const SchedulerConfig config_;
  const Churn churn_;
  const std::vector<NoiseLevel> unraised_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_EDM_HEUN_SAMPLER_H_
