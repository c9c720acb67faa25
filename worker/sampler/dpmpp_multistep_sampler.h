#ifndef GENZO_WORKER_SAMPLER_DPMPP_MULTISTEP_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPMPP_MULTISTEP_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// DPM-Solver and DPM-Solver++ of order 1 to 3, multistep (Lu et al.,
// arXiv:2211.01095, algorithm 2; reference: diffusers'
// DPMSolverMultistepScheduler and, for models trained as EDM,
// EDMDPMSolverMultistepScheduler). The stochastic ones draw noise at every
// step.
class DpmppMultistepSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  DpmppMultistepSampler(const SchedulerConfig& config,
                        const SamplerOptions& options,
                        const SamplerStart& start);

 protected:
  const char* name() const override { return "dpmpp_multistep"; }
  at::Tensor ScaledSample() const override;
  at::Tensor Step(const at::Tensor& prediction) override;
  int HistoryLength(int evaluations) const override;

 private:
  DpmppMultistepSampler(const SchedulerConfig& config,
                        const SamplerStart& start, const WalkPlan& plan);
  // Order of the coming step: short histories and the end of the walk lower it.
  int Order() const;
  double Lambda(int index) const;  // of plan_.levels[index]
  at::Tensor Solve(int order) const;

  const SchedulerConfig config_;  // history_ has values, see DpmValue
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPMPP_MULTISTEP_SAMPLER_H_
