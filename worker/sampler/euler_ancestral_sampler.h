#ifndef GENZO_WORKER_SAMPLER_EULER_ANCESTRAL_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_EULER_ANCESTRAL_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Euler steps that go down too far and come back with fresh noise
// (k-diffusion's sample_euler_ancestral; reference: diffusers'
// EulerAncestralDiscreteScheduler). Draws noise at every step.
class EulerAncestralSampler : public PlannedSampler {
 public:
  static constexpr auto Plan = PlanOverSigmas;
  EulerAncestralSampler(const SchedulerConfig& config,
                        const SamplerOptions& options,
                        const SamplerStart& start);

 protected:
  const char* name() const override { return "euler_ancestral"; }
  at::Tensor ScaledSample() const override;
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  EulerAncestralSampler(const SchedulerConfig& config,
                        const SamplerStart& start, const WalkPlan& plan);

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_EULER_ANCESTRAL_SAMPLER_H_
