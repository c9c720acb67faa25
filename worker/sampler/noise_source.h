#ifndef GENZO_WORKER_SAMPLER_NOISE_SOURCE_H_
#define GENZO_WORKER_SAMPLER_NOISE_SOURCE_H_

#include <cstdint>
#include <string>

#include "ATen/core/Generator.h"
#include "ATen/core/Tensor.h"
#include "absl/status/status.h"

namespace genzo {

// Where a run's normal noise comes from. Owned by one run, used by its thread.
// Noise is float32 on the CPU.
class NoiseSource {
 public:
  // Of Between().
  static constexpr double kMaxSigma = 32768;

  virtual ~NoiseSource() = default;

  // The next unit normal noise of a stream.
  virtual at::Tensor Draw(at::IntArrayRef shape) = 0;

  // Unit normal noise of the interval between two sigmas, each between 0 and
  // kMaxSigma: the increment of one Brownian motion W over it, divided by its
  // root length. An interval always has the same noise, whatever else was
  // asked, and noises add up: with n(a, b) for Between(shape, a, b),
  //   sqrt(c - a) n(a, c) = sqrt(b - a) n(a, b) + sqrt(c - b) n(b, c)
  // so that a walk in twice the steps sees the same noise (Li et al.,
  // arXiv:2001.01328, section 4). A falling interval has the opposite sign.
  virtual at::Tensor Between(at::IntArrayRef shape, double sigma_from,
                             double sigma_to) = 0;

  // The position of the stream, and how to go on there. INVALID_ARGUMENT if
  // `state` is not that of a source made with the same arguments.
  virtual std::string Save() const = 0;
  virtual absl::Status Restore(const std::string& state) = 0;
};

// Draws the stream of torch.Generator("cpu").manual_seed(seed), so that a seed
// gives the picture that it gives in the reference pipelines. As there, only
// the lower 32 bits of the seed matter to Draw(). The noise of Between() is our
// own, not that of k-diffusion's BrownianTreeNoiseSampler; it leaves the stream
// alone and costs some 60 draws.
class SeededNoise : public NoiseSource {
 public:
  explicit SeededNoise(uint64_t seed);
  at::Tensor Draw(at::IntArrayRef shape) override;
  at::Tensor Between(at::IntArrayRef shape, double sigma_from,
                     double sigma_to) override;
  std::string Save() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  // Unit normal noise of a node of the tree of intervals: 0 for the end of the
  // whole, 1 for its middle, 2n and 2n + 1 for those of the halves of n's.
  at::Tensor Node(at::IntArrayRef shape, uint64_t node) const;
  // W at `sigma`.
  at::Tensor Motion(at::IntArrayRef shape, double sigma) const;

  const uint64_t seed_;
  at::Generator generator_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_NOISE_SOURCE_H_
