#include "worker/denoiser/hint_embedding.h"

#include "ATen/ops/silu.h"

namespace genzo {
namespace {

constexpr ConvGeometry kSame = {.kernel = 3, .stride = 1, .padding = 1};
constexpr ConvGeometry kHalves = {.kernel = 3, .stride = 2, .padding = 1};

}  // namespace

HintEmbedding::HintEmbedding(const Weights& weights, int64_t in,
                             const std::vector<int64_t>& channels, int64_t out)
    : conv_in_(weights["conv_in"], in, channels.front(), kSame),
      conv_out_(weights["conv_out"], channels.back(), out, kSame) {
  for (size_t i = 0; i + 1 < channels.size(); ++i) {
    const auto place = static_cast<int64_t>(2 * i);
    blocks_.emplace_back(weights.At("blocks", place), channels[i], channels[i],
                         kSame);
    blocks_.emplace_back(weights.At("blocks", place + 1), channels[i],
                         channels[i + 1], kHalves);
  }
}

at::Tensor HintEmbedding::forward(const at::Tensor& hint) const {
  at::Tensor x = at::silu(
      conv_in_.forward(hint.contiguous(at::MemoryFormat::ChannelsLast)));
  for (const Conv2d& block : blocks_) x = at::silu(block.forward(x));
  return conv_out_.forward(x);
}

}  // namespace genzo
