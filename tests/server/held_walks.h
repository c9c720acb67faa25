#ifndef GENZO_TESTS_SERVER_HELD_WALKS_H_
#define GENZO_TESTS_SERVER_HELD_WALKS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "worker/residency/model_source.h"
#include "worker/sampler/sampler.h"

namespace genzo {

// A walk that comes no further than its first step while it is held: from there
// on it is evaluated again and again, at the same place.
class HeldWalk : public SamplerRun {
 public:
  HeldWalk(std::unique_ptr<SamplerRun> walk,
           std::shared_ptr<const std::atomic<bool>> held)
      : walk_(std::move(walk)), held_(std::move(held)) {}

  std::optional<Query> Next() const override { return walk_->Next(); }
  void Take(const at::Tensor& prediction) override {
    if (*held_ && walk_->progress().steps_done > 0) return;
    walk_->Take(prediction);
  }
  NoiseLevel level() const override { return walk_->level(); }
  NoiseLevel known_level() const override { return walk_->known_level(); }
  const at::Tensor& latent() const override { return walk_->latent(); }
  const at::Tensor& denoised() const override { return walk_->denoised(); }
  void Replace(at::Tensor latent) override {
    walk_->Replace(std::move(latent));
  }
  WalkProgress progress() const override { return walk_->progress(); }
  void Save(SamplerState& state) const override { walk_->Save(state); }
  absl::Status Restore(const SamplerState& state) override {
    return walk_->Restore(state);
  }

 private:
  const std::unique_ptr<SamplerRun> walk_;
  const std::shared_ptr<const std::atomic<bool>> held_;
};

// A model whose images of `steps` steps are held.
class HeldModel : public Pipeline {
 public:
  HeldModel(ModelRef model, uint32_t steps,
            std::shared_ptr<const std::atomic<bool>> held)
      : model_(std::move(model)), steps_(steps), held_(std::move(held)) {}

  const PipelineTraits& traits() const override { return model_->traits(); }
  std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const override {
    return model_->Encode(tasks, together, texts);
  }
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override {
    auto stages = model_->Plan(image, encoded);
    if (!stages.ok() || image.request.steps() != steps_) return stages;
    for (Stage& stage : *stages) {
      stage.sampler =
          std::make_unique<HeldWalk>(std::move(stage.sampler), held_);
    }
    return stages;
  }
  const LatentCodec& codec() const override { return model_->codec(); }
  std::shared_ptr<const AdapterTargets> adapter_targets() const override {
    return model_->adapter_targets();
  }
  const Denoiser& denoiser() const override { return model_->denoiser(); }
  PreparedRef PrepareEmpty() const override { return model_->PrepareEmpty(); }
  Placement placement() const override { return model_->placement(); }
  int64_t weight_bytes() const override { return model_->weight_bytes(); }

 private:
  const ModelRef model_;
  const uint32_t steps_;
  const std::shared_ptr<const std::atomic<bool>> held_;
};

// Has images of so many steps live for as long as a test wants, however fast
// the machine is: a server with `source()` ends them only once LetGo() was
// called, or if they are cancelled. Thread-safe.
class HeldWalks {
 public:
  explicit HeldWalks(uint32_t steps) : steps_(steps) {}

  // Where a Server's models come from.
  std::function<ModelSource(const Placement&)> source() const {
    return [steps = steps_, held = held_](const Placement& placement) {
      ModelSource source = FolderSource(placement);
      source.load = [load = source.load, steps, held](
                        const ModelFiles& files) -> absl::StatusOr<ModelRef> {
        auto model = load(files);
        if (!model.ok()) return model;
        return std::make_shared<HeldModel>(*std::move(model), steps, held);
      };
      return source;
    };
  }

  void LetGo() { *held_ = false; }

 private:
  const uint32_t steps_;
  const std::shared_ptr<std::atomic<bool>> held_ =
      std::make_shared<std::atomic<bool>>(true);
};

}  // namespace genzo

#endif  // GENZO_TESTS_SERVER_HELD_WALKS_H_
