#ifndef GENZO_WORKER_SAMPLER_DPM2_ANCESTRAL_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPM2_ANCESTRAL_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// Dpm2Sampler with steps that go down too far and come back with fresh noise
// (reference: diffusers' KDPM2AncestralDiscreteScheduler). Draws noise at every
// step but the last.
class Dpm2AncestralSampler : public TwoStageSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  Dpm2AncestralSampler(const SchedulerConfig& config,
                       const SamplerOptions& options,
                       const SamplerStart& start);

  NoiseLevel known_level() const override { return StepLevel(); }

 protected:
  const char* name() const override { return "dpm2_ancestral"; }
  at::Tensor ScaledSample() const override;
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;

 private:
  Dpm2AncestralSampler(const SchedulerConfig& config, const SamplerStart& start,
                       const WalkPlan& plan);

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPM2_ANCESTRAL_SAMPLER_H_
