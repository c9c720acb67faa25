#ifndef GENZO_WORKER_SAMPLER_DPM2_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPM2_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// DPM-Solver-2 in Karras' terms (arXiv:2206.00694, section 3; reference:
// diffusers' KDPM2DiscreteScheduler): the slope in the middle of a step, in the
// logarithm of sigma, is that of the whole step. Draws no noise.
class Dpm2Sampler : public TwoStageSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  Dpm2Sampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

  NoiseLevel known_level() const override { return StepLevel(); }

 protected:
  const char* name() const override { return "dpm2"; }
  at::Tensor ScaledSample() const override;
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;

 private:
  Dpm2Sampler(const SchedulerConfig& config, const SamplerStart& start,
              const WalkPlan& plan);

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPM2_SAMPLER_H_
