#ifndef GENZO_WORKER_ENGINE_RUN_H_
#define GENZO_WORKER_ENGINE_RUN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "worker/pipeline/stage.h"
#include "worker/sampler/sampler.h"

namespace genzo {

// One image's live state: its stages, walked one after the other. Owned and
// called by the step loop.
class Run {
 public:
  // At least one stage.
  explicit Run(std::vector<Stage> stages);

  // Where the denoiser must look next; nullopt once the image is finished.
  std::optional<Query> Next() const { return stage().sampler->Next(); }
  const Stage& stage() const { return stages_[current_]; }
  // Of the next evaluation: runs with equal keys may share it. And its name, by
  // which the scheduler goes.
  const BatchKey& key() const { return key_; }
  const std::string& shape() const { return shape_; }
  int rows() const { return stage().guidance.rows; }
  // What that evaluation takes, in those of as many rows without networks
  // beside the model: see LoadOf().
  double load() const;

  // Takes the guided prediction [1, C, ...] that answers Next(), and goes on to
  // the next stage where this one has ended. INTERNAL/NOT_FINITE if the latent
  // has infinities or NaNs now; LibTorch's exceptions become INTERNAL, out of
  // memory RESOURCE_EXHAUSTED. The run is of no use then.
  absl::Status Take(const at::Tensor& prediction);

  // Where the run waits for somebody to carry latent() through pixels, what
  // that takes; else null. Enter() then goes on from what came of it, with
  // Take()'s errors: the run waits there still.
  const PixelHop* hop() const;
  absl::Status Enter(const at::Tensor& latent);

  // All that a run of the same stages needs to go on here with the same bits,
  // on any device; empty if that cannot be told: what the text gave before a
  // gate is not the sampler's, and a broken device may not answer.
  std::string Save() const;
  // Goes on where the saved run stood; before the first Take(). The run is of
  // no use if that fails: INVALID_ARGUMENT names the field that does not fit.
  absl::Status Restore(const std::string& saved);

  // Of the largest picture that a stage walks on; 0 where none differs from the
  // request's.
  int64_t most_pixels() const;

  // Over all stages, and over those that walk down: what previews count.
  WalkProgress progress() const { return Sum(/*with_inversion=*/true); }
  WalkProgress way_down() const { return Sum(/*with_inversion=*/false); }
  bool finished() const { return !Next().has_value() && hop() == nullptr; }
  // Whether the last Take() ended a step: samplers may look more than once.
  bool step_ended() const { return step_ended_; }

  // The current sample, and the latest estimate of the finished one, which is
  // undefined before the first Take().
  const at::Tensor& latent() const { return stage().sampler->latent(); }
  const at::Tensor& denoised() const { return denoised_; }

 private:
  absl::Status TakeOrThrow(const at::Tensor& prediction);
  absl::Status EnterOrThrow(const at::Tensor& latent);
  absl::Status RestoreOrThrow(const SamplerState& saved);
  void FindKey();
  WalkProgress Sum(bool with_inversion) const;

  std::vector<Stage> stages_;
  size_t current_ = 0;
  BatchKey key_;
  std::string shape_;
  at::Tensor denoised_;  // of the stage before until this one's first
  bool step_ended_ = false;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_RUN_H_
