#ifndef GENZO_WORKER_SAMPLER_SCORE_VE_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_SCORE_VE_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Predictor-corrector sampling where the variance explodes (Song et al.,
// arXiv:2011.13456, algorithm 2; reference: diffusers' ScoreSdeVeScheduler and
// its pipeline). The network is told sigma and answers with the score. Draws
// noise at every evaluation; the finished latent is the last step's mean.
class ScoreVeSampler : public PlannedSampler {
 public:
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);
  ScoreVeSampler(const SchedulerConfig& config, const SamplerOptions& options,
                 const SamplerStart& start);

 protected:
  const char* name() const override { return "score_ve"; }
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  const SchedulerConfig config_;
  const std::vector<float> sigmas_;  // that the predictor moves on, rising
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SCORE_VE_SAMPLER_H_
