#ifndef GENZO_WORKER_SAMPLER_FLOW_HEUN_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_FLOW_HEUN_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// Heun's method on the straight path between picture and noise (reference:
// diffusers' FlowMatchHeunDiscreteScheduler): Euler's step, then the same step
// with the mean of the slopes at both its ends. Draws no noise.
class FlowHeunSampler : public TwoStageSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  FlowHeunSampler(const SchedulerConfig& config, const SamplerOptions& options,
                  const SamplerStart& start);

 protected:
  const char* name() const override { return "flow_heun"; }
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;
  bool keeps_slope() const override { return true; }
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_FLOW_HEUN_SAMPLER_H_
