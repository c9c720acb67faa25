#include "worker/sampler/noise_source.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "ATen/CPUGeneratorImpl.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "genzo/internal/v1/sampler_state.pb.h"

namespace genzo {
namespace {

// Halvings of [0, kMaxSigma]: to intervals of 2^-16, within which W is taken to
// be straight.
constexpr int kDepth = 31;

at::Tensor Normal(at::IntArrayRef shape, const at::Generator& generator) {
  return at::randn(shape, generator, at::TensorOptions(at::kFloat));
}

}  // namespace

SeededNoise::SeededNoise(uint64_t seed)
    : seed_(seed), generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor SeededNoise::Draw(at::IntArrayRef shape) {
  return Normal(shape, generator_);
}

at::Tensor SeededNoise::Node(at::IntArrayRef shape, uint64_t node) const {
  std::seed_seq mix(
      {seed_ >> 32, seed_ & 0xffffffff, node >> 32, node & 0xffffffff});
  uint32_t mixed = 0;
  mix.generate(&mixed, &mixed + 1);
  return Normal(shape, at::detail::createCPUGenerator(mixed));
}

at::Tensor SeededNoise::Motion(at::IntArrayRef shape, double sigma) const {
  double from = 0;
  double to = kMaxSigma;
  at::Tensor at_from = at::zeros(shape);
  at::Tensor at_to = Node(shape, 0) * std::sqrt(kMaxSigma);
  uint64_t node = 1;
  for (int level = 0; level < kDepth; ++level) {
    if (sigma == from) return at_from;
    if (sigma == to) return at_to;
    // A Brownian bridge's middle is normal about the mean of its ends, with a
    // variance of a quarter of its length.
    const double middle = (from + to) / 2;
    const at::Tensor at_middle =
        (at_from + at_to) / 2 + Node(shape, node) * (std::sqrt(to - from) / 2);
    const bool right = sigma >= middle;
    (right ? from : to) = middle;
    (right ? at_from : at_to) = at_middle;
    node = 2 * node + (right ? 1 : 0);
  }
  return at_from + (at_to - at_from) * ((sigma - from) / (to - from));
}

at::Tensor SeededNoise::Between(at::IntArrayRef shape, double sigma_from,
                                double sigma_to) {
  TORCH_CHECK(std::min(sigma_from, sigma_to) >= 0 &&
                  std::max(sigma_from, sigma_to) <= kMaxSigma &&
                  sigma_from != sigma_to,
              "no noise between sigmas ", sigma_from, " and ", sigma_to);
  return (Motion(shape, sigma_to) - Motion(shape, sigma_from)) /
         std::sqrt(std::abs(sigma_to - sigma_from));
}

std::string SeededNoise::Save() const {
  const at::Tensor position = generator_.get_state().contiguous();
  internal::v1::NoiseState state;
  state.set_seed(seed_);
  state.set_generator(position.const_data_ptr(), position.nbytes());
  return state.SerializeAsString();
}

absl::Status SeededNoise::Restore(const std::string& state) {
  internal::v1::NoiseState saved;
  if (!saved.ParseFromString(state)) {
    return absl::InvalidArgumentError("noise state: is not one");
  }
  if (saved.seed() != seed_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "noise state: seed ", saved.seed(), " is not the source's, ", seed_));
  }
  const auto size = static_cast<int64_t>(saved.generator().size());
  at::Tensor position = at::empty({size}, at::kByte);
  absl::c_copy(saved.generator(), position.mutable_data_ptr<uint8_t>());
  try {
    generator_.set_state(position);
  } catch (const c10::Error&) {
    return absl::InvalidArgumentError(
        "noise state: generator is not one's state");
  }
  return absl::OkStatus();
}

}  // namespace genzo
