#ifndef GENZO_WORKER_SAMPLER_DDIM_INVERSE_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DDIM_INVERSE_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// DDIM walked backwards (reference: diffusers' DDIMInverseScheduler): from a
// clean sample up to the noise from which DDIM, with the same predictions,
// would come back to it. Its denoised() is what it started from, as the
// denoiser sees it. Draws no noise. The steps that are left out are those at
// its end, which DDIM without its first steps does not come by.
class DdimInverseSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);

  DdimInverseSampler(const SchedulerConfig& config,
                     const SamplerOptions& options, const SamplerStart& start);

 protected:
  const char* name() const override { return "ddim_inverse"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
  const std::vector<float> alphas_cumprod_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DDIM_INVERSE_SAMPLER_H_
