#include "worker/upscale/compact_net.h"

#include <algorithm>
#include <cmath>

#include "ATen/ops/pixel_shuffle.h"
#include "ATen/ops/prelu.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr int64_t kMostScale = 8;

const char* const kWrappers[] = {"params_ema", "params", "state_dict", ""};

}  // namespace

std::optional<CompactNetConfig> ReadCompactNet(const TensorSource& source) {
  for (const char* wrapper : kWrappers) {
    const std::string prefix =
        *wrapper == '\0' ? "body." : absl::StrCat(wrapper, ".body.");
    // Null unless a weight of so many dimensions is there.
    const auto shape = [&](int64_t layer,
                           size_t dims) -> const std::vector<int64_t>* {
      const auto found =
          source.entries().find(absl::StrCat(prefix, layer, ".weight"));
      return found == source.entries().end() ||
                     found->second.shape.size() != dims
                 ? nullptr
                 : &found->second.shape;
    };
    if (shape(0, 4) == nullptr || shape(1, 1) == nullptr) continue;
    int64_t last = 0;
    while (shape(last + 1, 1) != nullptr && shape(last + 2, 4) != nullptr) {
      last += 2;
    }
    const auto scale =
        std::lround(std::sqrt(static_cast<double>((*shape(last, 4))[0]) / 3));
    CompactNetConfig config = {.wrapper = wrapper,
                               .features = (*shape(0, 4))[0],
                               .convolutions = last / 2 - 1,
                               .scale = scale};
    if ((*shape(0, 4))[1] != 3 || config.convolutions < 0 || scale < 1 ||
        scale > kMostScale || (*shape(last, 4))[0] != 3 * scale * scale) {
      return std::nullopt;
    }
    return config;
  }
  return std::nullopt;
}

UpscalerTraits TraitsOf(const CompactNetConfig& config) {
  constexpr int64_t kBytes = 4;
  const int64_t out = 3 * config.scale * config.scale;
  UpscalerTraits traits;
  traits.architecture = "SRVGGNetCompact";
  traits.scale = static_cast<int>(config.scale);
  traits.reach = static_cast<int>(config.convolutions + 2);
  // Two maps, or one and the picture before and after the shuffle.
  traits.bytes_per_pixel =
      kBytes * std::max(2 * config.features + 3, config.features + 3 * out);
  traits.weight_bytes = 9 * kBytes * config.features *
                        (3 + config.convolutions * config.features + out);
  return traits;
}

CompactNet::CompactNet(const CompactNetConfig& config, const Weights& weights,
                       const c10::Device& device)
    : config_(config), traits_(TraitsOf(config)), device_(device) {
  const Weights root =
      config.wrapper.empty() ? weights : weights[config.wrapper];
  const int64_t out = 3 * config.scale * config.scale;
  for (int64_t i = 0; i <= config.convolutions + 1; ++i) {
    const bool last = i == config.convolutions + 1;
    convs_.emplace_back(root.At("body", 2 * i), i == 0 ? 3 : config.features,
                        last ? out : config.features);
    if (last) break;
    slopes_.push_back(
        root.At("body", 2 * i + 1).Get("weight", {config.features}));
  }
}

at::Tensor CompactNet::Enlarge(const at::Tensor& pixels) const {
  at::Tensor x = pixels.contiguous(at::MemoryFormat::ChannelsLast);
  for (size_t i = 0; i < slopes_.size(); ++i) {
    x = at::prelu(convs_[i].forward(x), slopes_[i]);  // [1, features, H, W]
  }
  x = convs_.back().forward(x);
  x = at::pixel_shuffle(x, config_.scale);
  return x + at::upsample_nearest2d(pixels, {x.size(2), x.size(3)});
}

}  // namespace genzo
