#ifndef GENZO_WORKER_VISION_SAFETY_CHECKER_H_
#define GENZO_WORKER_VISION_SAFETY_CHECKER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/device/placement.h"
#include "worker/media/pixels.h"
#include "worker/vision/clip_image_processor.h"
#include "worker/vision/clip_vision_encoder.h"
#include "worker/weights/component_files.h"

namespace genzo {

// What the checker says of a picture. A concept's score is how far its cosine
// lies over its threshold, to three decimals.
struct SafetyVerdict {
  std::vector<float> special_scores;  // of concepts that make it stricter
  std::vector<float> concept_scores;
  bool unsafe = false;  // a concept's score is over 0
};

// Whether a picture is one that most people would not want to meet unasked
// (reference: diffusers' StableDiffusionSafetyChecker: a CLIP image encoder and
// the embeddings of concepts). It errs in both directions. Immutable; any
// thread may call it.
class SafetyChecker {
 public:
  // A model's component `safety_checker`; the preparation of pictures is that
  // of `feature_extractor`, or CLIP's own. Errors name file and what is wrong.
  static absl::StatusOr<std::unique_ptr<const SafetyChecker>> Open(
      const ComponentFiles& checker, const ComponentFiles& feature_extractor,
      const Placement& placement);

  SafetyVerdict Check(const Pixels& pixels) const;

  // The parts of it: cosines of [1, D] float32 with every concept.
  struct Cosines {
    at::Tensor special;   // [1, S]
    at::Tensor concepts;  // [1, C]
  };
  Cosines CosinesOf(const at::Tensor& embedding) const;
  SafetyVerdict Judge(const Cosines& cosines) const;

  const ClipImageProcessor& processor() const { return processor_; }
  const ClipVisionEncoder& vision() const { return vision_; }
  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  SafetyChecker(ClipImageProcessor processor, ClipVisionEncoder vision)
      : processor_(std::move(processor)), vision_(std::move(vision)) {}

  const ClipImageProcessor processor_;
  const ClipVisionEncoder vision_;
  at::Tensor special_embeds_;          // [S, D]
  at::Tensor concept_embeds_;          // [C, D]
  std::vector<float> special_limits_;  // [S]
  std::vector<float> concept_limits_;  // [C]
  int64_t weight_bytes_ = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_VISION_SAFETY_CHECKER_H_
