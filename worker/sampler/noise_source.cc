#include "worker/sampler/noise_source.h"

#include "ATen/CPUGeneratorImpl.h"
#include "ATen/ops/randn.h"

namespace genzo {

SeededNoise::SeededNoise(uint64_t seed)
    : generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor SeededNoise::Draw(at::IntArrayRef shape) {
  return at::randn(shape, generator_, at::TensorOptions(at::kFloat));
}

}  // namespace genzo
