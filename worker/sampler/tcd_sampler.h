#ifndef GENZO_WORKER_SAMPLER_TCD_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_TCD_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Trajectory consistency distillation (Zheng et al., arXiv:2402.19159,
// algorithm 4; reference: diffusers' TCDScheduler). SamplerOptions::eta, there
// gamma, is how far a step goes beyond its end before noise leads back, 0.3
// unless chosen. Draws noise where it is over 0, at every step but the last.
class TcdSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  TcdSampler(const SchedulerConfig& config, const SamplerOptions& options,
             const SamplerStart& start);

 protected:
  const char* name() const override { return "tcd"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
  const double gamma_;
  const std::vector<float> alphas_cumprod_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_TCD_SAMPLER_H_
