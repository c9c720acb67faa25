#ifndef GENZO_WORKER_SAMPLER_STEPPED_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_STEPPED_SAMPLER_H_

#include <vector>

#include "ATen/TensorOperators.h"
#include "worker/sampler/sampler.h"

namespace genzo {

// The bookkeeping of samplers that look once at each entry of a list of
// timesteps known from the start.
class SteppedSampler : public SamplerRun {
 public:
  std::optional<Evaluation> Next() const override;
  void Advance(const at::Tensor& prediction) override;
  const at::Tensor& latent() const override { return latent_; }
  const at::Tensor& denoised() const override { return denoised_; }
  int steps() const override { return static_cast<int>(timesteps_.size()); }
  int steps_done() const override { return index_; }

 protected:
  SteppedSampler(at::Tensor latent, std::vector<double> timesteps)
      : latent_(std::move(latent)), timesteps_(std::move(timesteps)) {}

  // The sample scaled to unit variance.
  virtual at::Tensor ScaledSample() const { return latent_; }

  // Returns the next sample and sets denoised_.
  virtual at::Tensor Step(const at::Tensor& prediction) = 0;

  double timestep() const { return timesteps_[index_]; }

  at::Tensor latent_;
  at::Tensor denoised_;
  const std::vector<double> timesteps_;
  int index_ = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_STEPPED_SAMPLER_H_
