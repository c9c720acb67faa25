#ifndef GENZO_WORKER_SAMPLER_DDIM_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DDIM_SAMPLER_H_

#include <memory>
#include <vector>

#include "worker/sampler/sampler_table.h"
#include "worker/sampler/stepped_sampler.h"

namespace genzo {

// Denoising diffusion implicit models (Song et al., arXiv:2010.02502, eq. 12;
// reference: diffusers' DDIMScheduler). Draws noise only where eta > 0.
class DdimSampler : public SteppedSampler {
 public:
  DdimSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

 protected:
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
  const SamplerOptions options_;
  const std::vector<float> alphas_cumprod_;
  const std::shared_ptr<NoiseSource> source_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DDIM_SAMPLER_H_
