#ifndef GENZO_WORKER_SAMPLER_EULER_ANCESTRAL_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_EULER_ANCESTRAL_SAMPLER_H_

#include <memory>
#include <vector>

#include "worker/sampler/sampler_table.h"
#include "worker/sampler/stepped_sampler.h"

namespace genzo {

// Euler steps that go down too far and come back with fresh noise
// (k-diffusion's sample_euler_ancestral; reference: diffusers'
// EulerAncestralDiscreteScheduler). Draws noise at every step.
class EulerAncestralSampler : public SteppedSampler {
 public:
  EulerAncestralSampler(const SchedulerConfig& config,
                        const SamplerOptions& options,
                        const SamplerStart& start);

 protected:
  at::Tensor ScaledSample() const override;
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  EulerAncestralSampler(const SchedulerConfig& config,
                        const SamplerStart& start,
                        const std::vector<double>& timesteps,
                        const std::vector<double>& sigmas);

  const SchedulerConfig config_;
  const std::vector<double> sigmas_;  // one more than steps, the last is 0
  const std::shared_ptr<NoiseSource> source_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_EULER_ANCESTRAL_SAMPLER_H_
