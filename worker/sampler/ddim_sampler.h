#ifndef GENZO_WORKER_SAMPLER_DDIM_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DDIM_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Denoising diffusion implicit models (Song et al., arXiv:2010.02502, eq. 12;
// reference: diffusers' DDIMScheduler). Draws noise only where eta > 0.
class DdimSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  DdimSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

 protected:
  const char* name() const override { return "ddim"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
  const SamplerOptions options_;
  const std::vector<float> alphas_cumprod_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DDIM_SAMPLER_H_
