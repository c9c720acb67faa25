#include "worker/model/unet_2d_blocks.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/constant_pad_nd.h"
#include "ATen/ops/upsample_nearest2d.h"

namespace genzo {

Downsample2D::Downsample2D(const Weights& weights, int64_t channels,
                           int64_t padding)
    : conv(weights["conv"], channels, channels,
           {.kernel = 3, .stride = 2, .padding = padding}) {}

at::Tensor Downsample2D::forward(const at::Tensor& x) const {
  if (conv.geometry.padding > 0) return conv.forward(x);
  return conv.forward(at::constant_pad_nd(x, {0, 1, 0, 1}, 0));
}

Upsample2D::Upsample2D(const Weights& weights, int64_t channels)
    : conv(weights["conv"], channels, channels) {}

at::Tensor Upsample2D::forward(const at::Tensor& x,
                               at::IntArrayRef size) const {
  return conv.forward(at::upsample_nearest2d(x, size));
}

UNetDownBlock::UNetDownBlock(const Weights& weights,
                             const UNetBlockConfig& config) {
  for (size_t i = 0; i < config.in_channels.size(); ++i) {
    resnets_.emplace_back(weights.At("resnets", i), config.in_channels[i],
                          config.out_channels, config.resnet);
    if (config.has_attention) {
      attentions_.emplace_back(weights.At("attentions", i), config.transformer);
    }
  }
  if (config.has_sampler) {
    downsampler_.emplace(weights.At("downsamplers", 0), config.out_channels,
                         config.downsample_padding);
  }
}

at::Tensor UNetDownBlock::forward(at::Tensor x,
                                  const UNetConditioning& conditioning,
                                  std::vector<at::Tensor>& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = resnets_[i].forward(x, conditioning.temb);
    if (!attentions_.empty()) {
      x = attentions_[i].forward(x, conditioning.context);
    }
    skips.push_back(x);
  }
  if (downsampler_.has_value()) {
    x = downsampler_->forward(x);
    skips.push_back(x);
  }
  return x;
}

UNetMidBlock::UNetMidBlock(const Weights& weights,
                           const UNetBlockConfig& config) {
  for (size_t i = 0; i < config.in_channels.size(); ++i) {
    resnets_.emplace_back(weights.At("resnets", i), config.in_channels[i],
                          config.out_channels, config.resnet);
  }
  for (size_t i = 0; config.has_attention && i + 1 < resnets_.size(); ++i) {
    attentions_.emplace_back(weights.At("attentions", i), config.transformer);
  }
}

at::Tensor UNetMidBlock::forward(at::Tensor x,
                                 const UNetConditioning& conditioning) const {
  x = resnets_[0].forward(x, conditioning.temb);
  for (size_t i = 1; i < resnets_.size(); ++i) {
    if (!attentions_.empty()) {
      x = attentions_[i - 1].forward(x, conditioning.context);
    }
    x = resnets_[i].forward(x, conditioning.temb);
  }
  return x;
}

UNetUpBlock::UNetUpBlock(const Weights& weights,
                         const UNetBlockConfig& config) {
  for (size_t i = 0; i < config.in_channels.size(); ++i) {
    resnets_.emplace_back(weights.At("resnets", i), config.in_channels[i],
                          config.out_channels, config.resnet);
    if (config.has_attention) {
      attentions_.emplace_back(weights.At("attentions", i), config.transformer);
    }
  }
  if (config.has_sampler) {
    upsampler_.emplace(weights.At("upsamplers", 0), config.out_channels);
  }
}

at::Tensor UNetUpBlock::forward(at::Tensor x,
                                const UNetConditioning& conditioning,
                                std::vector<at::Tensor>& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = at::cat({x, skips.back()}, 1);
    skips.pop_back();
    x = resnets_[i].forward(x, conditioning.temb);
    if (!attentions_.empty()) {
      x = attentions_[i].forward(x, conditioning.context);
    }
  }
  if (upsampler_.has_value()) {
    x = upsampler_->forward(x, skips.back().sizes().slice(2));
  }
  return x;
}

}  // namespace genzo
