#ifndef GENZO_WORKER_SAMPLER_NOISE_SOURCE_H_
#define GENZO_WORKER_SAMPLER_NOISE_SOURCE_H_

#include <cstdint>

#include "ATen/core/Generator.h"
#include "ATen/core/Tensor.h"

namespace genzo {

// Where a run's normal noise comes from. Owned by one run, used by its thread.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;

  // Unit normal float32 noise on the CPU.
  virtual at::Tensor Draw(at::IntArrayRef shape) = 0;
};

// The stream of torch.Generator("cpu").manual_seed(seed), so that a seed gives
// the picture that it gives in the reference pipelines. As there, only the
// lower 32 bits of the seed matter.
class SeededNoise : public NoiseSource {
 public:
  explicit SeededNoise(uint64_t seed);
  at::Tensor Draw(at::IntArrayRef shape) override;

 private:
  at::Generator generator_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_NOISE_SOURCE_H_
