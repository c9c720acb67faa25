#ifndef GENZO_WORKER_SAMPLER_EULER_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_EULER_SAMPLER_H_

#include <vector>

#include "worker/sampler/sampler_table.h"
#include "worker/sampler/stepped_sampler.h"

namespace genzo {

// Euler's method on the probability flow over sigmas (Karras et al.,
// arXiv:2206.00364, algorithm 2 without churn; reference: diffusers'
// EulerDiscreteScheduler). Draws no noise.
class EulerSampler : public SteppedSampler {
 public:
  EulerSampler(const SchedulerConfig& config, const SamplerOptions& options,
               const SamplerStart& start);

 protected:
  at::Tensor ScaledSample() const override;
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  // Timesteps and noise levels of a walk; one more sigma, the last.
  struct Plan {
    std::vector<double> timesteps;
    std::vector<double> sigmas;
  };
  static Plan MakePlan(const SchedulerConfig& config, int steps);
  EulerSampler(const SchedulerConfig& config, const SamplerStart& start,
               const Plan& plan);

  const SchedulerConfig config_;
  const std::vector<double> sigmas_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_EULER_SAMPLER_H_
