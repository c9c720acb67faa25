#ifndef GENZO_WORKER_SAMPLER_DPMPP_MULTISTEP_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_DPMPP_MULTISTEP_SAMPLER_H_

#include <deque>
#include <vector>

#include "worker/sampler/sampler_table.h"
#include "worker/sampler/stepped_sampler.h"

namespace genzo {

// DPM-Solver++ of order 1 to 3, multistep, in the data prediction (Lu et al.,
// arXiv:2211.01095, algorithm 2; reference: diffusers'
// DPMSolverMultistepScheduler with algorithm_type dpmsolver++). Draws no noise.
class DpmppMultistepSampler : public SteppedSampler {
 public:
  DpmppMultistepSampler(const SchedulerConfig& config,
                        const SamplerOptions& options,
                        const SamplerStart& start);

 protected:
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  // Timesteps and noise levels of a walk; one more sigma, the last.
  struct Plan {
    std::vector<double> timesteps;
    std::vector<double> sigmas;
  };
  static Plan MakePlan(const SchedulerConfig& config, int steps);
  DpmppMultistepSampler(const SchedulerConfig& config,
                        const SamplerStart& start, const Plan& plan);

  // Order of the coming step: short histories and the end of the walk lower it.
  int Order() const;
  double Lambda(int index) const;  // log(alpha / sigma) at sigmas_[index]
  at::Tensor Solve(int order) const;

  const SchedulerConfig config_;
  const std::vector<double> sigmas_;
  std::deque<at::Tensor> history_;  // clean estimates, newest last
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_DPMPP_MULTISTEP_SAMPLER_H_
