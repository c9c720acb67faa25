#ifndef GENZO_WORKER_SAMPLER_DDPM_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DDPM_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Denoising diffusion probabilistic models (Ho et al., arXiv:2006.11239,
// algorithm 2; reference: diffusers' DDPMScheduler), respaced as improved DDPM
// does it (arXiv:2102.09672, section 4). With a learned variance, predictions
// have twice the latent's channels: the mean's, then the variance's. Draws
// noise at every step but one from timestep 0.
class DdpmSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  DdpmSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

 protected:
  const char* name() const override { return "ddpm"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  // Standard deviation of the noise to add: `posterior` is the variance given
  // the clean sample, `beta` the forward process's. `learned` is undefined
  // with a fixed variance.
  at::Tensor Deviation(double posterior, double beta,
                       const at::Tensor& learned) const;

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DDPM_SAMPLER_H_
