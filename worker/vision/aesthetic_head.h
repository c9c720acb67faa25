#ifndef GENZO_WORKER_VISION_AESTHETIC_HEAD_H_
#define GENZO_WORKER_VISION_AESTHETIC_HEAD_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/layers.h"
#include "worker/weights/component_files.h"

namespace genzo {

// How much people would like a picture, from its CLIP embedding (LAION's
// improved aesthetic predictor: linear layers without activations, trained on
// ratings of 1 to 10). Immutable; any thread may call it.
class AestheticHead {
 public:
  // Takes `layers.N.weight` and `.bias`, as many as there are, widths from the
  // file. NOT_FOUND or INVALID_ARGUMENT name file and tensor, also where the
  // first layer does not take `embedding_size`.
  static absl::StatusOr<AestheticHead> Open(const ComponentFiles& files,
                                            int64_t embedding_size);

  // embeddings [B, D], of any length: they are normalised first. Returns [B].
  at::Tensor forward(const at::Tensor& embeddings) const;

 private:
  explicit AestheticHead(std::vector<Linear> layers)
      : layers_(std::move(layers)) {}

  std::vector<Linear> layers_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_VISION_AESTHETIC_HEAD_H_
