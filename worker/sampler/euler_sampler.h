#ifndef GENZO_WORKER_SAMPLER_EULER_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_EULER_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Euler's method on the probability flow over sigmas (Karras et al.,
// arXiv:2206.00364, algorithm 2 without its correction; reference: diffusers'
// EulerDiscreteScheduler). Draws noise only where SamplerOptions::churn says
// so.
class EulerSampler : public PlannedSampler {
 public:
  static constexpr auto Plan = PlanOverSigmas;
  EulerSampler(const SchedulerConfig& config, const SamplerOptions& options,
               const SamplerStart& start);

 protected:
  const char* name() const override { return "euler"; }
  at::Tensor ScaledSample() const override;
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  EulerSampler(const SchedulerConfig& config, const SamplerOptions& options,
               const SamplerStart& start, const WalkPlan& plan);

  const SchedulerConfig config_;
  const int steps_;  // among which churn is shared out
  const Churn churn_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_EULER_SAMPLER_H_
