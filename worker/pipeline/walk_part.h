#ifndef GENZO_WORKER_PIPELINE_WALK_PART_H_
#define GENZO_WORKER_PIPELINE_WALK_PART_H_

#include <memory>
#include <optional>

#include "worker/sampler/sampler.h"
#include "worker/sampler/walk_plan.h"

namespace genzo {

// Which steps of a walk one network makes where several share it: [begin, end).
struct StepRange {
  int begin = 0;
  int end = 0;
};

// The steps of a walk that come before those of another network, or after
// them: of 8 steps, a base that is relieved after the fifth shows 0 to 5 of 5,
// its refiner then 0 to 3 of 3. The walk itself is that of all 8.
class WalkPart : public SamplerRun {
 public:
  // `walk` is at `plan`'s begin; a later part begins at `range.begin`, an
  // earlier one may begin later, as from a picture.
  WalkPart(std::unique_ptr<SamplerRun> walk, const WalkPlan& plan,
           StepRange range);

  std::optional<Query> Next() const override;
  void Take(const at::Tensor& prediction) override { walk_->Take(prediction); }
  NoiseLevel level() const override { return walk_->level(); }
  NoiseLevel known_level() const override { return walk_->known_level(); }
  const at::Tensor& latent() const override { return walk_->latent(); }
  const at::Tensor& denoised() const override { return walk_->denoised(); }
  void Replace(at::Tensor latent) override {
    walk_->Replace(std::move(latent));
  }
  WalkProgress progress() const override;
  void Save(SamplerState& state) const override { walk_->Save(state); }
  absl::Status Restore(const SamplerState& state) override {
    return walk_->Restore(state);
  }

 private:
  const std::unique_ptr<SamplerRun> walk_;
  const StepRange range_;
  int evaluations_;  // of the part
};

// The first step of `plan` that belongs to a network which takes over after
// `share`, 0 to 1, of the trained timesteps; the number of steps if none does.
// Reference: denoising_end and denoising_start of diffusers' SDXL pipelines.
int StepAtShare(const WalkPlan& plan, double share, int num_train_timesteps);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_WALK_PART_H_
