#ifndef GENZO_WORKER_SAMPLER_PNDM_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_PNDM_SAMPLER_H_

#include <vector>

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// Pseudo numerical methods for diffusion models (Liu et al., arXiv:2202.09778;
// reference: diffusers' PNDMScheduler). Linear multistep (PLMS), after three
// Runge-Kutta steps of four evaluations unless skip_prk_steps; then the second
// timestep is evaluated twice instead.
//
// A walk that starts from a picture repeats the reference's, which leaves out
// the first entries of its list of timesteps, second look included: it starts
// one step noisier than others do, and the evaluation after its second look
// names a timestep one step cleaner than the latent is. Runge-Kutta steps the
// reference then applies to the wrong timesteps; we start with PLMS instead.
class PndmSampler : public PlannedSampler {
 public:
  // Runge-Kutta needs 4 steps to start from.
  static int MinSteps(const SchedulerConfig& config);
  static WalkPlan Plan(const SchedulerConfig& config, int steps,
                       int first_step);

  PndmSampler(const SchedulerConfig& config, const SamplerOptions& options,
              const SamplerStart& start);

  void Save(SamplerState& state) const override;
  absl::Status Restore(const SamplerState& state) override;

 protected:
  const char* name() const override { return "pndm"; }
  at::Tensor Step(const at::Tensor& prediction) override;
  int HistoryLength(int evaluations) const override;

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

  const SchedulerConfig config_;
  const int stride_;                   // training timesteps between two steps
  const int runge_kutta_evaluations_;  // before PLMS
  const std::vector<float> alphas_cumprod_;
  at::Tensor runge_kutta_sum_;  // of the current step; undefined in PLMS
  at::Tensor step_sample_;      // where the current step began
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_PNDM_SAMPLER_H_
