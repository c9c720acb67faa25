#ifndef GENZO_WORKER_SAMPLER_DPMPP_SINGLESTEP_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPMPP_SINGLESTEP_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// DPM-Solver and DPM-Solver++ of order 1 to 3, singlestep (Lu et al.,
// arXiv:2211.01095, algorithm 1; reference: diffusers'
// DPMSolverSinglestepScheduler). The request's steps are evaluations: they are
// grouped to steps of the solver's order, each from where its group began. The
// stochastic one draws noise at every evaluation.
class DpmppSinglestepSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  DpmppSinglestepSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start);

  void Save(SamplerState& state) const override;
  absl::Status Restore(const SamplerState& state) override;

 protected:
  const char* name() const override { return "dpmpp_singlestep"; }
  at::Tensor Step(const at::Tensor& prediction) override;
  int HistoryLength(int evaluations) const override;

 private:
  at::Tensor Solve(int order) const;

  const SchedulerConfig config_;   // history_ has values, see DpmValue
  const std::vector<int> orders_;  // of the request's steps
  at::Tensor group_sample_;        // where the current group began
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPMPP_SINGLESTEP_SAMPLER_H_
