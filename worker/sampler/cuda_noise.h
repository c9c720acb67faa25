#ifndef GENZO_WORKER_SAMPLER_CUDA_NOISE_H_
#define GENZO_WORKER_SAMPLER_CUDA_NOISE_H_

#include <array>
#include <cstdint>
#include <memory>

#include "genzo/v1/types.pb.h"
#include "worker/sampler/noise_source.h"

namespace genzo {

// Ten rounds of Philox 4x32 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", 2011).
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, uint64_t key);

// Draws the stream of torch.Generator("cuda").manual_seed(seed), computed on
// the CPU, so that seeds of web UIs on GPUs give their pictures. The same to
// rounding, as a GPU's sine and logarithm are its own. All 64 bits of the seed
// matter. PyTorch lays numbers out by the size of the GPU where a tensor is
// larger than that; ours is that of an RTX 4090, and tensors of up to 100,000
// numbers are the same on all that have 66 multiprocessors or more. The noise
// of Between() is SeededNoise's.
class CudaNoise : public NoiseSource {
 public:
  explicit CudaNoise(uint64_t seed) : seed_(seed), between_(seed) {}
  at::Tensor Draw(at::IntArrayRef shape) override;
  at::Tensor Between(at::IntArrayRef shape, double sigma_from,
                     double sigma_to) override;
  std::string Save() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  const uint64_t seed_;
  uint64_t calls_ = 0;  // of the generator in each thread so far
  SeededNoise between_;
};

// The source that a request's NoiseGenerator names.
std::shared_ptr<NoiseSource> MakeNoise(v1::NoiseGenerator generator,
                                       uint64_t seed);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_CUDA_NOISE_H_
