#ifndef GENZO_WORKER_SAMPLER_LCM_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_LCM_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Latent consistency models (Luo et al., arXiv:2310.04378, algorithm 3;
// reference: diffusers' LCMScheduler): each look gives a clean picture, which
// is noised to the next level. Draws noise at every step but the last.
class LcmSampler : public PlannedSampler {
 public:
  // No more steps than it was distilled from.
  static int MaxSteps(const SchedulerConfig& config);
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  LcmSampler(const SchedulerConfig& config, const SamplerOptions& options,
             const SamplerStart& start);

 protected:
  const char* name() const override { return "lcm"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_LCM_SAMPLER_H_
