#ifndef GENZO_WORKER_SAMPLER_PNDM_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_PNDM_SAMPLER_H_

#include <deque>
#include <vector>

#include "worker/sampler/sampler_table.h"
#include "worker/sampler/stepped_sampler.h"

namespace genzo {

// Pseudo numerical methods for diffusion models (Liu et al., arXiv:2202.09778;
// reference: diffusers' PNDMScheduler). Linear multistep (PLMS), after three
// Runge-Kutta steps of four evaluations unless skip_prk_steps; then the second
// timestep is evaluated twice instead.
class PndmSampler : public SteppedSampler {
 public:
  // Runge-Kutta needs this many steps to start from.
  static constexpr int kMinRungeKuttaSteps = 4;

  PndmSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

 protected:
  at::Tensor Step(const at::Tensor& prediction) override;

 private:
  // A combined prediction and the move that it is for.
  struct Move {
    at::Tensor prediction;
    at::Tensor sample;
    int from_timestep;
    int to_timestep;  // below 0: to the picture
  };

  Move RungeKuttaMove(const at::Tensor& prediction);
  Move MultistepMove(const at::Tensor& prediction);
  // Equation 9 of the paper.
  at::Tensor Transfer(const Move& move);
  double AlphaProd(int timestep) const;

  const SchedulerConfig config_;
  const int stride_;             // training timesteps between two steps
  const int runge_kutta_steps_;  // evaluations before PLMS
  const std::vector<float> alphas_cumprod_;
  std::deque<at::Tensor> history_;  // predictions, newest last, at most 4
  at::Tensor runge_kutta_sum_;
  at::Tensor step_sample_;  // where the current step began
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_PNDM_SAMPLER_H_
