#ifndef GENZO_WORKER_VISION_CLIP_IMAGE_PROCESSOR_H_
#define GENZO_WORKER_VISION_CLIP_IMAGE_PROCESSOR_H_

#include <array>
#include <cstdint>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "worker/media/picture_resampling.h"
#include "worker/media/pixels.h"
#include "worker/weights/component_files.h"

namespace genzo {

// Makes of a picture what a CLIP image encoder sees (reference: transformers'
// CLIPImageProcessor with PIL): scaled by its shorter side, the middle cut out,
// normalised. Immutable; any thread may call it.
class ClipImageProcessor {
 public:
  // CLIP's own preparation for an encoder of that size: bicubic, cut square.
  explicit ClipImageProcessor(int64_t image_size);

  // As preprocessor_config.json says, or processor_config.json of its
  // image_processor; as above where `files` has none.
  // INVALID_ARGUMENT or UNIMPLEMENTED name file and key, also where what comes
  // out does not have image_size x image_size pixels.
  static absl::StatusOr<ClipImageProcessor> Read(const ComponentFiles& files,
                                                 int64_t image_size);

  // [1, 3, image_size, image_size] float32.
  at::Tensor Process(const Pixels& pixels) const;

 private:
  int64_t image_size_;
  ResamplingFilter filter_ = ResamplingFilter::kBicubic;
  // The shorter side of the scaled picture; 0: scaled to image_size whatever
  // its proportions.
  int64_t shortest_edge_;
  double rescale_factor_ = 1.0 / 255;
  std::array<float, 3> mean_ = {0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> std_ = {0.26862954f, 0.26130258f, 0.27577711f};
};

}  // namespace genzo

#endif  // GENZO_WORKER_VISION_CLIP_IMAGE_PROCESSOR_H_
