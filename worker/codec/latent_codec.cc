#include "worker/codec/latent_codec.h"

#include "ATen/TensorOperators.h"

namespace genzo {

at::Tensor LatentCodec::Sample(const LatentDistribution& distribution,
                               NoiseSource& noise) const {
  return Scale(distribution.mean +
               distribution.deviation * noise.Draw(distribution.mean.sizes()));
}

}  // namespace genzo
