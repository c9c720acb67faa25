#ifndef GENZO_WORKER_SAMPLER_FLOW_EULER_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_FLOW_EULER_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Euler's method on the straight path between picture and noise
// (arXiv:2403.03206; reference: diffusers' FlowMatchEulerDiscreteScheduler).
// Draws noise only with stochastic_sampling, which noises each clean estimate
// anew.
class FlowEulerSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  FlowEulerSampler(const SchedulerConfig& config, const SamplerOptions& options,
                   const SamplerStart& start);

 protected:
  const char* name() const override { return "flow_euler"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const bool stochastic_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_FLOW_EULER_SAMPLER_H_
