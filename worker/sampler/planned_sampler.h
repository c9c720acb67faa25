#ifndef GENZO_WORKER_SAMPLER_PLANNED_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_PLANNED_SAMPLER_H_

#include <deque>
#include <memory>
#include <optional>

#include "ATen/TensorOperators.h"
#include "worker/sampler/sampler.h"
#include "worker/sampler/sampler_options.h"
#include "worker/sampler/walk_plan.h"

namespace genzo {

// What samplers share whose walk is known from the start: start, position,
// history, saving. A sampler of its own has a plan and Step().
class PlannedSampler : public SamplerRun {
 public:
  std::optional<Query> Next() const final;
  void Take(const at::Tensor& prediction) final;
  NoiseLevel level() const final { return plan_.levels[done_]; }
  const at::Tensor& latent() const final { return latent_; }
  const at::Tensor& denoised() const final { return denoised_; }
  void Replace(at::Tensor latent) final;
  WalkProgress progress() const final;
  void Save(SamplerState& state) const override;
  absl::Status Restore(const SamplerState& state) override;

 protected:
  // Begins at start.sample noised to the plan's first level, or at start.noise
  // times `noise_scale`.
  PlannedSampler(WalkPlan plan, const SamplerStart& start,
                 double noise_scale = 1);

  // The sampler's name in saved states.
  virtual const char* name() const = 0;

  // latent() as the network wants it.
  virtual at::Tensor ScaledSample() const { return latent_; }

  // Returns the next sample and sets denoised_; appends to history_ what it
  // will need of `prediction`.
  virtual at::Tensor Step(const at::Tensor& prediction) = 0;

  // Entries of history_ after `evaluations` of the walk.
  virtual int HistoryLength(int /*evaluations*/) const { return 0; }

  double timestep() const { return plan_.timesteps[done_]; }

  // Unit normal noise shaped as the latent. Throws c10::Error if the run was
  // given no source.
  at::Tensor Draw();

  // Noise of the interval between two sigmas, shaped as the latent: see
  // NoiseSource::Between(). Throws as Draw() does.
  at::Tensor Between(double sigma_from, double sigma_to);

  const WalkPlan plan_;
  at::Tensor latent_;
  at::Tensor denoised_;
  std::deque<at::Tensor> history_;  // newest last
  int done_ = 0;                    // evaluations

 private:
  const std::shared_ptr<NoiseSource> source_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_PLANNED_SAMPLER_H_
