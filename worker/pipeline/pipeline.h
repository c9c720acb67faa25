#ifndef GENZO_WORKER_PIPELINE_PIPELINE_H_
#define GENZO_WORKER_PIPELINE_PIPELINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/codec/latent_codec.h"
#include "worker/device/placement.h"
#include "worker/media/pixels.h"
#include "worker/pipeline/adapter_uses.h"
#include "worker/pipeline/control_parts.h"
#include "worker/pipeline/pipeline_traits.h"
#include "worker/pipeline/stage.h"
#include "worker/sampler/noise_source.h"
#include "worker/text/embedding_library.h"
#include "worker/text/text_cache.h"

namespace genzo {

class IpAdapter;

// Pictures that an adapter reads as a prompt, each [1, 3, side, side] as its
// encoder takes them.
struct PictureInput {
  std::shared_ptr<const IpAdapter> adapter;
  std::vector<at::Tensor> pictures;
  double weight = 1;
};

// What a job gives to encode.
struct EncodeTask {
  const v1::GenerateRequest& request;  // every field filled in
  // [1, 3, H, W] in [-1, 1] float32 on the CPU at the request's size divided by
  // the traits' picture_divisor; undefined: none.
  at::Tensor picture = {};
  // The same as it came, where traits.sees_whole_picture; null: none.
  std::shared_ptr<const Pixels> whole_picture = nullptr;
  // Words that prompts may use; null: none. Outlives the task.
  const EmbeddingLibrary* embeddings = nullptr;
  AdapterUses adapters = {};
  // What steers the images, in the request's order; networks of
  // traits().control_fit alone.
  std::vector<ControlHint> controls = {};
  // What is read beside the texts; adapters of traits().picture_fit alone.
  std::vector<PictureInput> image_prompts = {};
  // [1, 1, H, W] float32 of the picture's size: 1 where it is painted anew, 0
  // where it stays; undefined: no part of it stays.
  at::Tensor mask = {};
  // [1, 1, H', W'] float32 of any size and range, greater where it is nearer;
  // undefined: the model looks for itself.
  at::Tensor depth = {};
  // Of prompts that are edited by step, see PlanTexts(): steps of the passes
  // before this one, and whether it walks up.
  int steps_before = 0;
  bool inverts = false;
};

// What the images of one job share: all but noise. A value.
struct Encoded {
  std::vector<PreparedRef> prepared;  // one a stage
  LatentDistribution picture = {};    // of the task's picture
  // [1, C, h, w] float32 on the CPU, where the walk begins at what an earlier
  // one left, in place of a picture.
  at::Tensor latent = {};
  at::Tensor mask = {};            // the task's
  LatentDistribution masked = {};  // of the picture, grey where it is painted
  // What Plan() has yet to prepare, where an image's own noise is a part of it.
  Conditioning unprepared = {};
  std::vector<EncodedControl> controls = {};  // of the first stage
  // The same for the request's second pass, if it has `hires`, and for its way
  // up, if it has `image_to_image.inversion`.
  std::shared_ptr<const Encoded> second_pass = nullptr;
  std::shared_ptr<const Encoded> inversion = nullptr;
};

// One image of a job.
struct ImageRequest {
  const v1::GenerateRequest& request;
  std::shared_ptr<NoiseSource> noise;  // the image's own
  // What `noise` was made of, and the other seed of the request's variation.
  uint64_t seed = 0;
  uint64_t variation_seed = 0;
  // To start from in place of a picture, as the denoiser knows it; undefined:
  // none.
  at::Tensor latent = {};
  // Walks from `latent` up to noise instead of down.
  bool inverts = false;
};

// A loaded checkpoint: what it can do, and the stages of an image. Immutable;
// LibTorch's exceptions leave it as they are, so callers wrap it at their seam.
// Encode() and Plan() may run on other threads than the denoisers, the codec on
// another still.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  virtual const PipelineTraits& traits() const = 0;

  // One result a task: texts and pictures of several jobs, `together` where the
  // bits of a text do not depend on its company, which is faster. Used by one
  // thread, that of `texts`.
  virtual std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const = 0;

  // The image's stages in order, at least one, ready for the first evaluation.
  // INVALID_ARGUMENT/INVALID_FIELD for what only the schedule can tell.
  virtual absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const = 0;

  virtual const LatentCodec& codec() const = 0;

  // What adapters may change; null for families that take none.
  virtual std::shared_ptr<const AdapterTargets> adapter_targets() const {
    return nullptr;
  }

  // For measurements: the denoiser that most steps are of, and what one row of
  // an empty text prepares for it.
  virtual const Denoiser& denoiser() const = 0;
  virtual PreparedRef PrepareEmpty() const = 0;

  virtual Placement placement() const = 0;
  virtual int64_t weight_bytes() const = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_PIPELINE_H_
