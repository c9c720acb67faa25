#include "worker/depth/bit_backbone.h"

#include <algorithm>

#include "ATen/ops/constant_pad_nd.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/max_pool2d.h"
#include "ATen/ops/relu.h"
#include "ATen/ops/rsqrt.h"
#include "ATen/ops/var_mean.h"

namespace genzo {
namespace {

constexpr double kNormEps = 1e-5;
constexpr double kStandardEps = 1e-8;

// The nearest multiple of 8 that is not much smaller.
int64_t MidChannels(int64_t out) {
  constexpr int64_t kMultiple = 8;
  const double wanted = static_cast<double>(out) / 4;
  int64_t made = std::max<int64_t>(
      kMultiple,
      static_cast<int64_t>(wanted + kMultiple / 2.0) / kMultiple * kMultiple);
  if (static_cast<double>(made) < 0.9 * wanted) made += kMultiple;
  return made;
}

// So that the result has size / stride places, rounded up; the odd one of them
// is put behind.
at::Tensor Padded(const at::Tensor& x, int64_t kernel, int64_t stride) {
  const auto missing = [&](int64_t size) {
    return std::max<int64_t>(
        ((size + stride - 1) / stride - 1) * stride + kernel - size, 0);
  };
  const int64_t down = missing(x.size(2));
  const int64_t across = missing(x.size(3));
  return at::constant_pad_nd(
      x, {across / 2, across - across / 2, down / 2, down - down / 2});
}

}  // namespace

absl::StatusOr<BitConfig> ReadBitConfig(JsonConfig json) {
  BitConfig config;
  config.num_channels = json.Int("num_channels", config.num_channels, 1);
  config.embedding_size = json.Int("embedding_size", config.embedding_size, 1);
  config.hidden_sizes = json.Ints("hidden_sizes", config.hidden_sizes);
  config.depths = json.Ints("depths", config.depths, 1, JsonConfig::kMaxLayers);
  config.num_groups = json.Int("num_groups", config.num_groups, 1);
  if (json.Has("layer_type")) json.RequireString("layer_type", "bottleneck");
  const std::string padding = json.String("global_padding", "same");
  if (padding != "same" && padding != "SAME") {
    json.Fail(absl::StatusCode::kUnimplemented, "global_padding",
              "is not \"same\"");
  }
  if (!json.Bool("embedding_dynamic_padding", true)) {
    json.Fail(absl::StatusCode::kUnimplemented, "embedding_dynamic_padding",
              "is not true");
  }
  if (config.depths.size() != 3 || config.hidden_sizes.size() < 3) {
    json.Fail(absl::StatusCode::kUnimplemented, "depths",
              "or hidden_sizes are not those of three stages");
  }
  if (!json.status().ok()) return json.status();
  return config;
}

BitBackbone::Conv::Conv(const Weights& weights, int64_t in, int64_t out,
                        int64_t kernel, int64_t stride)
    : kernel(kernel), stride(stride) {
  const at::Tensor own = weights.Get("weight", {out, in, kernel, kernel});
  if (own.numel() == 0) return;  // Finish() will tell
  const auto [variance, mean] =
      at::var_mean(own, {1, 2, 3}, /*correction=*/0, /*keepdim=*/true);
  weight = (own - mean) * at::rsqrt(variance + kStandardEps);
}

at::Tensor BitBackbone::Conv::forward(const at::Tensor& x) const {
  return at::conv2d(Padded(x, kernel, stride), weight, {}, {stride, stride});
}

BitBackbone::Layer::Layer(const BitConfig& config, const Weights& weights,
                          int64_t in, int64_t out, int64_t stride,
                          bool is_first)
    : conv1(weights["conv1"], in, MidChannels(out), 1, 1),
      conv2(weights["conv2"], MidChannels(out), MidChannels(out), 3, stride),
      conv3(weights["conv3"], MidChannels(out), out, 1, 1),
      norm1(weights["norm1"], config.num_groups, MidChannels(out), kNormEps),
      norm2(weights["norm2"], config.num_groups, MidChannels(out), kNormEps),
      norm3(weights["norm3"], config.num_groups, out, kNormEps) {
  if (!is_first) return;
  downsample.emplace(weights["downsample"]["conv"], in, out, 1, stride);
  downsample_norm.emplace(weights["downsample"]["norm"], config.num_groups, out,
                          kNormEps);
}

at::Tensor BitBackbone::Layer::forward(const at::Tensor& x) const {
  const at::Tensor shortcut =
      downsample.has_value() ? downsample_norm->forward(downsample->forward(x))
                             : x;
  at::Tensor h = at::relu(norm1.forward(conv1.forward(x)));
  h = at::relu(norm2.forward(conv2.forward(h)));
  return at::relu(norm3.forward(conv3.forward(h)) + shortcut);
}

BitBackbone::BitBackbone(const BitConfig& config, const Weights& weights)
    : stem_(weights["bit"]["embedder"]["convolution"], config.num_channels,
            config.embedding_size, 7, 2),
      stem_norm_(weights["bit"]["embedder"]["norm"], config.num_groups,
                 config.embedding_size, kNormEps) {
  int64_t in = config.embedding_size;
  for (size_t stage = 0; stage < config.depths.size(); ++stage) {
    const Weights own =
        weights["bit"]["encoder"].At("stages", static_cast<int64_t>(stage));
    const int64_t out = config.hidden_sizes[stage];
    std::vector<Layer>& layers = stages_.emplace_back();
    for (int64_t i = 0; i < config.depths[stage]; ++i) {
      layers.emplace_back(config, own.At("layers", i), in, out,
                          /*stride=*/i == 0 && stage > 0 ? 2 : 1,
                          /*is_first=*/i == 0);
      in = out;
    }
  }
}

std::vector<at::Tensor> BitBackbone::forward(const at::Tensor& pixels) const {
  at::Tensor x = at::relu(stem_norm_.forward(stem_.forward(pixels)));
  x = at::max_pool2d(Padded(x, 3, 2), {3, 3}, {2, 2});
  std::vector<at::Tensor> features;
  for (const std::vector<Layer>& layers : stages_) {
    for (const Layer& layer : layers) x = layer.forward(x);
    features.push_back(x);
  }
  return features;
}

}  // namespace genzo
