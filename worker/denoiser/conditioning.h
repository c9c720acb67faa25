#ifndef GENZO_WORKER_DENOISER_CONDITIONING_H_
#define GENZO_WORKER_DENOISER_CONDITIONING_H_

#include <memory>

#include "ATen/core/Tensor.h"
#include "worker/nn/adapters.h"

namespace genzo {

// What a denoiser sees besides sample and time, a row a row of its run. Every
// tensor may be undefined; one that a family does not know is refused by its
// Prepare(), by name. On the denoiser's device.
struct Conditioning {
  at::Tensor tokens = {};  // [R, L, D] embedded text, of the denoiser's dtype
  at::Tensor token_mask =
      {};                  // [R, L] bool, false where a token is not to be seen
  at::Tensor pooled = {};  // [R, P] one vector a text
  at::Tensor numbers = {};  // [R, N] sizes, crops, classes, embedded guidance
  at::Tensor image = {};    // [R, C', h, w] beside the sample: mask, hint, ...
  std::shared_ptr<const AdapterSet> adapters = nullptr;  // of all rows
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_CONDITIONING_H_
