#ifndef GENZO_WORKER_SAMPLER_LMS_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_LMS_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Linear multistep of order 4 over sigmas (k-diffusion's sample_lms; reference:
// diffusers' LMSDiscreteScheduler): the slopes of the last four steps,
// interpolated and integrated. Draws no noise.
class LmsSampler : public PlannedSampler {
 public:
  static constexpr auto Plan = PlanOverSigmas;
  LmsSampler(const SchedulerConfig& config, const SamplerOptions& options,
             const SamplerStart& start);

 protected:
  const char* name() const override { return "lms"; }
  at::Tensor ScaledSample() const override;
  at::Tensor Step(const at::Tensor& prediction) override;
  int HistoryLength(int evaluations) const override;

 private:
  LmsSampler(const SchedulerConfig& config, const SamplerStart& start,
             const WalkPlan& plan, std::vector<NoiseLevel> whole_walk);
  // Weight of the slope `back` steps ago among those of `order` steps.
  double Weight(int order, int back) const;

  const SchedulerConfig config_;              // history_ has slopes
  const std::vector<NoiseLevel> whole_walk_;  // from its first step on
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_LMS_SAMPLER_H_
