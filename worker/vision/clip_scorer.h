#ifndef GENZO_WORKER_VISION_CLIP_SCORER_H_
#define GENZO_WORKER_VISION_CLIP_SCORER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "worker/device/placement.h"
#include "worker/media/pixels.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/clip_tokenizer.h"
#include "worker/vision/clip_image_processor.h"
#include "worker/vision/clip_vision_encoder.h"
#include "worker/weights/component_files.h"

namespace genzo {

// Both towers of a CLIPModel: how well a picture fits a text (CLIPScore,
// arXiv:2104.08718). Immutable; any thread may call it.
class ClipScorer {
 public:
  // A folder in transformers' layout, tokenizer and all. Errors name file and
  // what is wrong.
  static absl::StatusOr<std::unique_ptr<const ClipScorer>> Open(
      const ComponentFiles& files, const Placement& placement);

  // [1, D] float32 on the CPU, as the towers give them: CosineSimilarity()
  // compares.
  at::Tensor EmbedText(std::string_view text) const;
  at::Tensor EmbedPicture(const Pixels& pixels) const;

  const ClipTokenizer& tokenizer() const { return tokenizer_; }
  const ClipImageProcessor& processor() const { return processor_; }
  int64_t embedding_size() const { return vision_.embedding_size(); }
  // What the model multiplies cosines with for its logits.
  double logit_scale() const { return logit_scale_; }
  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  struct Parts;
  explicit ClipScorer(Parts parts);

  const ClipTokenizer tokenizer_;
  const ClipTextEncoder text_;
  const ClipImageProcessor processor_;
  const ClipVisionEncoder vision_;
  const double logit_scale_;
  const int64_t weight_bytes_;
  const at::Device device_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_VISION_CLIP_SCORER_H_
