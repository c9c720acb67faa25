#ifndef GENZO_WORKER_SAMPLER_DPMPP_SDE_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPMPP_SDE_SAMPLER_H_

#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

// DPM-Solver++ of second order as a stochastic differential equation
// (k-diffusion's sample_dpmpp_sde; reference: diffusers'
// DPMSolverSDEScheduler): a look in the middle of each step, in the logarithm
// of sigma. Its noise is NoiseSource::Between(), so that it converges with the
// number of steps.
class DpmppSdeSampler : public TwoStageSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  DpmppSdeSampler(const SchedulerConfig& config, const SamplerOptions& options,
                  const SamplerStart& start);

  NoiseLevel known_level() const override { return StepLevel(); }

 protected:
  const char* name() const override { return "dpmpp_sde"; }
  at::Tensor ScaledSample() const override;
  at::Tensor First(const at::Tensor& prediction) override;
  at::Tensor Second(const at::Tensor& prediction) override;

 private:
  DpmppSdeSampler(const SchedulerConfig& config, const SamplerStart& start,
                  const WalkPlan& plan);
  // `sample`, at sigma `from`, moved to `to` by denoised_ and noise.
  at::Tensor Moved(const at::Tensor& sample, double from, double to);

  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPMPP_SDE_SAMPLER_H_
