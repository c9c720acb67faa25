#ifndef GENZO_WORKER_DENOISER_HINT_EMBEDDING_H_
#define GENZO_WORKER_DENOISER_HINT_EMBEDDING_H_

#include <cstdint>
#include <vector>

#include "worker/nn/layers.h"

namespace genzo {

// Makes a hint as small as a latent by convolutions (diffusers'
// ControlNetConditioningEmbedding): each of `channels` but the first halves the
// sides.
class HintEmbedding {
 public:
  HintEmbedding(const Weights& weights, int64_t in,
                const std::vector<int64_t>& channels, int64_t out);

  // [B, in, H, W] -> [B, out, H / 2^n, W / 2^n].
  at::Tensor forward(const at::Tensor& hint) const;

 private:
  Conv2d conv_in_;
  std::vector<Conv2d> blocks_;
  Conv2d conv_out_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_HINT_EMBEDDING_H_
