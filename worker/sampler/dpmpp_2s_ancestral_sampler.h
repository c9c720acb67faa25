#ifndef GENZO_WORKER_SAMPLER_DPMPP_2S_ANCESTRAL_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPMPP_2S_ANCESTRAL_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// DPM-Solver++(2S) with steps that go down too far and come back with fresh
// noise (reference: k-diffusion's sample_dpmpp_2s_ancestral; no class of
// diffusers): looks as Dpm2AncestralSampler does. Draws noise at every step but
// the last.
class Dpmpp2sAncestralSampler : public TwoStageSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  Dpmpp2sAncestralSampler(const SchedulerConfig& config,
                          const SamplerOptions& options,
                          const SamplerStart& start);

 protected:
  const char* name() const override { return "dpmpp_2s_ancestral"; }
  at::Tensor ScaledSample() const override;
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;

 private:
  Dpmpp2sAncestralSampler(const SchedulerConfig& config,
                          const SamplerStart& start, const WalkPlan& plan);
  // `sample`, at sigma `from`, moved to `to` along denoised_.
  at::Tensor Moved(const at::Tensor& sample, double from, double to) const;

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPMPP_2S_ANCESTRAL_SAMPLER_H_
