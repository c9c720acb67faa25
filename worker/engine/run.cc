#include "worker/engine/run.h"

namespace genzo {

ShapeKey ShapeOf(const Run& run) {
  const at::Tensor& latent = run.sampler->latent();
  return {
      .model = run.model,
      .latent_height = latent.size(2),
      .latent_width = latent.size(3),
      .context_length = run.context->empty() ? 0 : (*run.context)[0].k.size(1)};
}

}  // namespace genzo
