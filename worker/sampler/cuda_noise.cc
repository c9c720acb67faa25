#include "worker/sampler/cuda_noise.h"

#include <algorithm>
#include <cmath>

#include "ATen/ops/empty.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "genzo/internal/v1/sampler_state.pb.h"

namespace genzo {
namespace {

// PyTorch's launch of a kernel that fills a tensor at random: threads in
// blocks, no more blocks than the GPU runs at once (128 multiprocessors of 1536
// threads here), each thread four numbers in a call, a grid's length apart.
constexpr uint64_t kThreads = 256;
constexpr uint64_t kMaxBlocks = 128 * 1536 / kThreads;
constexpr int kNumbers = 4;

// Two unit normals of two random words (Box and Muller, 1958), as cuRAND
// computes them in float32.
std::array<float, 2> BoxMuller(uint32_t x, uint32_t y) {
  constexpr float kInverse = 2.3283064e-10F;  // 2^-32
  constexpr float kTurn = kInverse * 6.2831855F;
  const float u = static_cast<float>(x) * kInverse + kInverse / 2;
  const float v = static_cast<float>(y) * kTurn + kTurn / 2;
  const float length = std::sqrt(-2.0F * std::log(u));
  return {length * std::sin(v), length * std::cos(v)};
}

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, uint64_t key) {
  auto low = static_cast<uint32_t>(key);
  auto high = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ low,
               static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ high,
               static_cast<uint32_t>(a)};
    low += 0x9E3779B9;
    high += 0xBB67AE85;
  }
  return counter;
}

at::Tensor CudaNoise::Draw(at::IntArrayRef shape) {
  const at::Tensor noise = at::empty(shape, at::kFloat);
  auto* const numbers = noise.mutable_data_ptr<float>();
  const auto count = static_cast<uint64_t>(noise.numel());
  if (count == 0) return noise;
  const uint64_t blocks =
      std::min((count + kThreads - 1) / kThreads, kMaxBlocks);
  const uint64_t stride = blocks * kThreads;
  const uint64_t calls = (count - 1) / (stride * kNumbers) + 1;
  for (uint64_t call = 0; call < calls; ++call) {
    const uint64_t position = calls_ + call;
    for (uint64_t thread = 0; thread < stride; ++thread) {
      const auto words = Philox(
          {static_cast<uint32_t>(position),
           static_cast<uint32_t>(position >> 32), static_cast<uint32_t>(thread),
           static_cast<uint32_t>(thread >> 32)},
          seed_);
      const auto first = BoxMuller(words[0], words[1]);
      const auto second = BoxMuller(words[2], words[3]);
      const float four[] = {first[0], first[1], second[0], second[1]};
      for (int i = 0; i < kNumbers; ++i) {
        const uint64_t at = thread + stride * (call * kNumbers + i);
        if (at < count) numbers[at] = four[i];
      }
    }
  }
  calls_ += calls;
  return noise;
}

at::Tensor CudaNoise::Between(at::IntArrayRef shape, double sigma_from,
                              double sigma_to) {
  return between_.Between(shape, sigma_from, sigma_to);
}

std::string CudaNoise::Save() const {
  internal::v1::NoiseState state;
  state.set_seed(seed_);
  state.set_generator(absl::StrCat("philox ", calls_));
  return state.SerializeAsString();
}

absl::Status CudaNoise::Restore(const std::string& state) {
  internal::v1::NoiseState saved;
  if (!saved.ParseFromString(state)) {
    return absl::InvalidArgumentError("noise state: is not one");
  }
  if (saved.seed() != seed_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "noise state: seed ", saved.seed(), " is not the source's, ", seed_));
  }
  absl::string_view position = saved.generator();
  if (!absl::ConsumePrefix(&position, "philox ") ||
      !absl::SimpleAtoi(position, &calls_)) {
    return absl::InvalidArgumentError(
        "noise state: generator is not a position of Philox");
  }
  return absl::OkStatus();
}

std::shared_ptr<NoiseSource> MakeNoise(v1::NoiseGenerator generator,
                                       uint64_t seed) {
  if (generator == v1::NOISE_GENERATOR_CUDA) {
    return std::make_shared<CudaNoise>(seed);
  }
  return std::make_shared<SeededNoise>(seed);
}

}  // namespace genzo
