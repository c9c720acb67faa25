#ifndef GENZO_WORKER_SAMPLER_UNIPC_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_UNIPC_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Unified predictor-corrector of order 1 to 3 (Zhao et al., arXiv:2302.04867,
// algorithms 5 to 8; reference: diffusers' UniPCMultistepScheduler). Each
// evaluation first corrects the sample that it looked at, then predicts the
// next, so the corrector costs no evaluation. Draws no noise.
class UnipcSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  UnipcSampler(const SchedulerConfig& config, const SamplerOptions& options,
               const SamplerStart& start);

  void Save(SamplerState& state) const override;
  absl::Status Restore(const SamplerState& state) override;

 protected:
  const char* name() const override { return "unipc"; }
  at::Tensor Step(const at::Tensor& prediction) override;
  int HistoryLength(int evaluations) const override;

 private:
  // Order of the predictor after `done` evaluations, and of the corrector after
  // one more.
  int Order(int done) const;
  bool Corrects() const;
  // The move from level `begin` to the next. `now` is the value there, for the
  // corrector; undefined for the predictor.
  at::Tensor Move(const at::Tensor& sample, int begin, int order,
                  const at::Tensor& now) const;

  const SchedulerConfig config_;  // history_ has values, see DpmValue
  at::Tensor last_sample_;        // where the last prediction began
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_UNIPC_SAMPLER_H_
