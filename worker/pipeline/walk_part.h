#ifndef GENZO_WORKER_PIPELINE_WALK_PART_H_
#define GENZO_WORKER_PIPELINE_WALK_PART_H_

#include <functional>
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
  // The first `evaluations` of `walk`, which has not begun. A later part begins
  // at `range.begin`, an earlier one may begin later, as from a picture.
  WalkPart(std::unique_ptr<SamplerRun> walk, StepRange range, int evaluations);

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
  const int evaluations_;  // of the part
};

// Where a network takes over from another.
struct Handover {
  int evaluations = 0;  // that the first one makes
  int step = 0;         // with which the walk of the second begins
};

// Of a walk from `first_step`, after `share`, 0 to 1, of the trained timesteps;
// nullopt if nothing is left then. The first network makes the evaluations down
// to there, the second the shortest walk that has all others. Where that cuts a
// step of two looks, the second network makes it again, with the latent that
// the first look has moved. Heun's, of 3 steps at 0.5:
//   told            999  666  666  333  333
//   first network   999  666  666
//   second                    666  333  333
// `plan_from` gives the walk from a step. Reference: denoising_end and
// denoising_start of diffusers' SDXL pipelines.
std::optional<Handover> HandoverAt(
    const std::function<WalkPlan(int first_step)>& plan_from, int first_step,
    double share, int num_train_timesteps);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_WALK_PART_H_
