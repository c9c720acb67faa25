#ifndef GENZO_WORKER_SAMPLER_SCORE_VP_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_SCORE_VP_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Euler-Maruyama where the variance is preserved (Song et al.,
// arXiv:2011.13456, algorithm 3; reference: diffusers' ScoreSdeVpScheduler),
// with the file's correct_steps of annealed Langevin dynamics before each step,
// by default none. The network is told the time, from 1 to 0, and answers with
// the noise. Draws noise at every evaluation; the finished latent is the last
// step's mean.
class ScoreVpSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  ScoreVpSampler(const SchedulerConfig& config, const SamplerOptions& options,
                 const SamplerStart& start);

 protected:
  const char* name() const override { return "score_vp"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SCORE_VP_SAMPLER_H_
