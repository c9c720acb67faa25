#ifndef GENZO_WORKER_SAMPLER_DEIS_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DEIS_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Diffusion exponential integrator sampler, log-rho, of order 1 to 3 (Zhang and
// Chen, arXiv:2204.13902, section 3.3; reference: diffusers'
// DEISMultistepScheduler). Draws no noise.
class DeisSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  DeisSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

 protected:
  const char* name() const override { return "deis"; }
  at::Tensor Step(const at::Tensor& prediction) override;
  int HistoryLength(int evaluations) const override;

 private:
  int Order() const;

  const SchedulerConfig config_;  // history_ has noise estimates
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DEIS_SAMPLER_H_
