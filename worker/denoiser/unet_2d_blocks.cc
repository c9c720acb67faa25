#include "worker/denoiser/unet_2d_blocks.h"

#include "ATen/ops/cat.h"

namespace genzo {

at::Tensor TimeCursor::Next(int64_t channels) {
  if (channels == 0) return {};
  const at::Tensor slice = times_.narrow(1, next_, channels);
  next_ += channels;
  return slice;
}

void UNetLayers::ProjectTime(const at::Tensor& temb,
                             const EvalContext& adapters,
                             std::vector<at::Tensor>& times) const {
  for (const ResnetBlock2D& resnet : resnets) {
    if (resnet.time_channels() == 0) continue;
    times.push_back(resnet.ProjectTime(temb, adapters));
  }
}

void UNetLayers::ProjectContext(const at::Tensor& context,
                                const EvalContext& adapters,
                                std::vector<at::Tensor>& prepared) const {
  for (const Transformer2D& attention : attentions) {
    attention.ProjectContext(context, adapters, prepared);
  }
}

at::Tensor UNetLayers::Resnet(size_t i, const at::Tensor& x,
                              UNetConditioning& conditioning) const {
  return resnets[i].forward(x,
                            conditioning.times.Next(resnets[i].time_channels()),
                            conditioning.adapters);
}

at::Tensor UNetLayers::Attend(size_t i, const at::Tensor& x,
                              UNetConditioning& conditioning) const {
  return attentions.empty() ? x
                            : attentions[i].forward(x, conditioning.context,
                                                    conditioning.adapters);
}

namespace {

UNetLayers MakeLayers(const Weights& weights, const UNetBlockConfig& config,
                      size_t attentions) {
  UNetLayers layers;
  for (size_t i = 0; i < config.in_channels.size(); ++i) {
    layers.resnets.emplace_back(weights.At("resnets", i), config.in_channels[i],
                                config.out_channels, config.resnet);
  }
  for (size_t i = 0; config.has_attention && i < attentions; ++i) {
    Transformer2DConfig transformer = config.transformer;
    transformer.layers = config.transformer_layers[i];
    layers.attentions.emplace_back(weights.At("attentions", i), transformer);
  }
  return layers;
}

}  // namespace

UNetDownBlock::UNetDownBlock(const Weights& weights,
                             const UNetBlockConfig& config)
    : layers_(MakeLayers(weights, config, config.in_channels.size())) {
  if (config.has_sampler) {
    downsampler_.emplace(weights.At("downsamplers", 0), config.out_channels,
                         config.downsample_padding);
  }
}

at::Tensor UNetDownBlock::forward(at::Tensor x, UNetConditioning& conditioning,
                                  std::vector<at::Tensor>& skips) const {
  for (size_t i = 0; i < layers_.resnets.size(); ++i) {
    x = layers_.Resnet(i, x, conditioning);
    x = layers_.Attend(i, x, conditioning);
    skips.push_back(x);
  }
  // As the reference has it: smaller already where nothing attends. The skip is
  // the same tensor.
  if (!layers_.attentions.empty()) conditioning.EndLevel(x);
  if (downsampler_.has_value()) {
    x = downsampler_->forward(x, conditioning.adapters);
    skips.push_back(x);
  }
  if (layers_.attentions.empty()) conditioning.EndLevel(x);
  return x;
}

UNetMidBlock::UNetMidBlock(const Weights& weights,
                           const UNetBlockConfig& config)
    : layers_(MakeLayers(weights, config, config.in_channels.size() - 1)) {}

at::Tensor UNetMidBlock::forward(at::Tensor x,
                                 UNetConditioning& conditioning) const {
  x = layers_.Resnet(0, x, conditioning);
  for (size_t i = 1; i < layers_.resnets.size(); ++i) {
    x = layers_.Attend(i - 1, x, conditioning);
    x = layers_.Resnet(i, x, conditioning);
  }
  return x;
}

UNetUpBlock::UNetUpBlock(const Weights& weights, const UNetBlockConfig& config)
    : layers_(MakeLayers(weights, config, config.in_channels.size())) {
  if (config.has_sampler) {
    upsampler_.emplace(weights.At("upsamplers", 0), config.out_channels);
  }
}

at::Tensor UNetUpBlock::forward(at::Tensor x, UNetConditioning& conditioning,
                                std::vector<at::Tensor>& skips) const {
  for (size_t i = 0; i < layers_.resnets.size(); ++i) {
    x = layers_.Resnet(i, at::cat({x, skips.back()}, 1), conditioning);
    skips.pop_back();
    x = layers_.Attend(i, x, conditioning);
  }
  if (upsampler_.has_value()) {
    x = upsampler_->forward(x, skips.back().sizes().slice(2),
                            conditioning.adapters);
  }
  return x;
}

}  // namespace genzo
