#include "worker/denoiser/unet_2d_condition.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "c10/core/InferenceMode.h"
#include "worker/kernels/row_bits.h"

namespace genzo {
namespace {

UNetBlockConfig BlockConfig(const UNet2DConditionConfig& config, size_t level) {
  UNetBlockConfig block;
  block.out_channels = config.block_out_channels[level];
  block.downsample_padding = config.downsample_padding;
  block.resnet = config.resnet;
  block.transformer = {
      .channels = block.out_channels,
      .heads = config.heads[level],
      .cross_attention_dim = config.cross_attention_dim[level],
      .norm_num_groups = config.resnet.norm_num_groups,
      .use_linear_projection = config.use_linear_projection,
      .only_cross_attention = config.only_cross_attention[level],
      .upcast_attention = config.upcast_attention};
  return block;
}

// Up block `index`, from the coarsest; each of its resnets also sees the output
// of one down resnet, the last one that of the level above.
UNetBlockConfig UpConfig(const UNet2DConditionConfig& config, size_t index) {
  const size_t levels = config.block_out_channels.size();
  const size_t level = levels - 1 - index;
  UNetBlockConfig block = BlockConfig(config, level);
  block.has_attention = config.up_has_attention[index];
  block.transformer_layers = config.up_transformer_layers[index];
  block.has_sampler = level > 0;
  const int64_t below =
      config.block_out_channels[std::min(level + 1, levels - 1)];
  const int64_t above = config.block_out_channels[level == 0 ? 0 : level - 1];
  const int64_t layers = config.layers_per_block[level] + 1;
  for (int64_t i = 0; i < layers; ++i) {
    const int64_t from_path = i == 0 ? below : block.out_channels;
    const int64_t from_skip = i + 1 == layers ? above : block.out_channels;
    block.in_channels.push_back(from_path + from_skip);
  }
  return block;
}

ConvGeometry Same(int64_t kernel) {
  return {.kernel = kernel, .stride = 1, .padding = (kernel - 1) / 2};
}

}  // namespace

UNetBlockConfig DownBlockConfig(const UNet2DConditionConfig& config,
                                size_t level) {
  UNetBlockConfig block = BlockConfig(config, level);
  block.has_attention = config.down_has_attention[level];
  block.has_sampler = level + 1 < config.block_out_channels.size();
  block.in_channels.assign(config.layers_per_block[level], block.out_channels);
  block.in_channels[0] = config.block_out_channels[level == 0 ? 0 : level - 1];
  block.transformer_layers = config.down_transformer_layers[level];
  return block;
}

UNetBlockConfig MidBlockConfig(const UNet2DConditionConfig& config) {
  UNetBlockConfig block =
      BlockConfig(config, config.block_out_channels.size() - 1);
  block.has_attention = config.mid_has_attention;
  // As the reference builds them: one resnet without attention, two around it.
  block.in_channels.assign(config.mid_has_attention ? 2 : 1,
                           block.out_channels);
  block.transformer_layers = {config.mid_transformer_layers};
  block.transformer.only_cross_attention = false;
  block.resnet.output_scale_factor = config.mid_block_scale_factor;
  return block;
}

std::string ControlFitOf(const UNet2DConditionConfig& config) {
  return absl::StrCat(
      "U-Net of ", absl::StrJoin(config.block_out_channels, ","), " channels, ",
      absl::StrJoin(config.layers_per_block, ","), " layers",
      config.mid_exists ? "" : " without a middle", ", text of ",
      absl::StrJoin(config.cross_attention_dim, ","), ", added ",
      config.embeddings.added_time_width, "/",
      config.embeddings.added_time_width > 0
          ? config.embeddings.projection_width
          : 0,
      ", latent of ", config.out_channels);
}

PictureLayers PictureLayersOf(const UNet2DConditionConfig& config) {
  const size_t levels = config.block_out_channels.size();
  std::vector<int64_t> downs, ups, mid;  // widths
  const auto add = [&](size_t level, const std::vector<int64_t>& layers,
                       std::vector<int64_t>& widths) {
    for (const int64_t count : layers) {
      widths.insert(widths.end(), static_cast<size_t>(count),
                    config.block_out_channels[level]);
    }
  };
  bool fits = true;
  for (size_t i = 0; i < levels; ++i) {
    add(i, config.down_transformer_layers[i], downs);
    add(levels - 1 - i, config.up_transformer_layers[i], ups);
    fits = fits && !config.only_cross_attention[i] &&
           config.cross_attention_dim[i] == config.cross_attention_dim[0];
  }
  if (config.mid_exists && config.mid_has_attention) {
    add(levels - 1, {config.mid_transformer_layers}, mid);
  }
  PictureLayers layers;
  for (size_t i = 0; i < downs.size() + mid.size() + ups.size(); ++i) {
    const size_t down = downs.size();
    layers.order.push_back(i < down                ? i
                           : i < down + mid.size() ? i + ups.size()
                                                   : i - mid.size());
  }
  std::vector<int64_t> widths = downs;
  widths.insert(widths.end(), ups.begin(), ups.end());
  widths.insert(widths.end(), mid.begin(), mid.end());
  if (fits) layers.fit = PictureFit(config.cross_attention_dim[0], widths);
  return layers;
}

UNet2DConditionModel::UNet2DConditionModel(const UNet2DConditionConfig& config,
                                           const Weights& weights)
    : config_(config),
      conv_in_(weights["conv_in"], config.in_channels,
               config.block_out_channels.front(), Same(config.conv_in_kernel)),
      embeddings_(config.embeddings, weights),
      conv_norm_out_(weights["conv_norm_out"], config.resnet.norm_num_groups,
                     config.block_out_channels.front(), config.resnet.eps),
      conv_out_(weights["conv_out"], config.block_out_channels.front(),
                config.out_channels, Same(config.conv_out_kernel)),
      times_(conv_norm_out_.weight.device(), [this](
                                                 const at::Tensor& timesteps) {
        const at::Tensor times = embeddings_.OfTimes(timesteps);
        if (!embeddings_.OfTimesAlone()) return times;
        return at::cat({ProjectTimes(embeddings_.FromTimes(times, NoAdapters()),
                                     NoAdapters()),
                        times.to(at::kFloat)},
                       1);
      }) {
  const size_t levels = config.block_out_channels.size();
  for (size_t i = 0; i < levels; ++i) {
    down_blocks_.emplace_back(weights.At("down_blocks", i),
                              DownBlockConfig(config, i));
  }
  if (config.mid_exists) {
    mid_block_.emplace(weights["mid_block"], MidBlockConfig(config));
  }
  for (size_t i = 0; i < levels; ++i) {
    up_blocks_.emplace_back(weights.At("up_blocks", i), UpConfig(config, i));
  }
  for (const UNetLayers* layers : AllLayers()) {
    for (const ResnetBlock2D& resnet : layers->resnets) {
      time_channels_ += resnet.time_channels();
    }
  }
}

std::vector<const UNetLayers*> UNet2DConditionModel::AllLayers() const {
  std::vector<const UNetLayers*> layers;
  for (const UNetDownBlock& block : down_blocks_) {
    layers.push_back(&block.layers());
  }
  if (mid_block_.has_value()) layers.push_back(&mid_block_->layers());
  for (const UNetUpBlock& block : up_blocks_) layers.push_back(&block.layers());
  return layers;
}

at::Tensor UNet2DConditionModel::ProjectTimes(
    const at::Tensor& temb, const EvalContext& adapters) const {
  std::vector<at::Tensor> times;
  for (const UNetLayers* layers : AllLayers()) {
    layers->ProjectTime(temb, adapters, times);
  }
  return at::cat(times, 1);
}

at::Tensor UNet2DConditionModel::ProjectRows(
    const at::Tensor& temb, const EvalContext& adapters) const {
  if (!temb.is_cpu()) return ProjectTimes(temb, adapters);
  return RowByRow(temb.size(0), [&](int64_t row) {
    return ProjectTimes(temb.narrow(0, row, 1), adapters.OfRow(row));
  });
}

at::Tensor UNet2DConditionModel::AddTimeDeltas(
    const at::Tensor& temb, const EvalContext& adapters,
    const at::Tensor& projected) const {
  std::vector<at::Tensor> deltas;
  for (const UNetLayers* layers : AllLayers()) {
    for (const ResnetBlock2D& resnet : layers->resnets) {
      if (resnet.time_channels() == 0) continue;
      deltas.push_back(
          at::zeros({temb.size(0), resnet.time_channels()}, temb.options()));
      resnet.time_emb_proj->AddDeltas(adapters, temb, deltas.back());
    }
  }
  return projected + at::cat(deltas, 1);
}

bool UNet2DConditionModel::AdaptsTimes(const EvalContext& adapters) const {
  if (adapters.empty()) return false;
  if (embeddings_.AdaptedBy(adapters)) return true;
  for (const UNetLayers* layers : AllLayers()) {
    for (const ResnetBlock2D& resnet : layers->resnets) {
      if (resnet.time_emb_proj.has_value() &&
          adapters.Adapts(resnet.time_emb_proj->name)) {
        return true;
      }
    }
  }
  return false;
}

at::Tensor UNet2DConditionModel::TimesOf(const at::Tensor& times,
                                         const Prepared& prepared,
                                         size_t& count) const {
  const EvalContext& adapters = prepared.adapters;
  if (!embeddings_.OfTimesAlone()) {
    return ProjectRows(
        embeddings_.Join(times, prepared.tensors, count, adapters), adapters);
  }
  const at::Tensor projected = times.narrow(1, 0, time_channels_);
  if (!AdaptsTimes(adapters)) return projected;
  const at::Tensor before =
      times.narrow(1, time_channels_, times.size(1) - time_channels_)
          .to(placement().dtype);
  if (!embeddings_.AdaptedBy(adapters)) {
    // The rows that nobody adapts keep their bits.
    return AddTimeDeltas(embeddings_.FromTimes(before, adapters), adapters,
                         projected);
  }
  if (!times.is_cpu()) {
    return ProjectTimes(embeddings_.FromTimes(before, adapters), adapters);
  }
  return RowByRow(times.size(0), [&](int64_t row) {
    const EvalContext own = adapters.OfRow(row);
    return AdaptsTimes(own)
               ? ProjectTimes(
                     embeddings_.FromTimes(before.narrow(0, row, 1), own), own)
               : projected.narrow(0, row, 1);
  });
}

std::vector<std::string> UNet2DConditionModel::IdleLayers() const {
  std::vector<std::string> names;
  for (const UNetLayers* layers : AllLayers()) {
    for (const Transformer2D& attention : layers->attentions) {
      attention.ListSelfAttention(names);
    }
  }
  return names;
}

absl::StatusOr<PreparedRef> UNet2DConditionModel::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  if (conditioning.token_mask.defined()) {
    return absl::InvalidArgumentError(
        "conditioning token_mask: this U-Net sees all tokens");
  }
  const at::Tensor& tokens = conditioning.tokens;
  if (!tokens.defined() || tokens.dim() != 3) {
    return absl::InvalidArgumentError(
        "conditioning tokens: this U-Net needs [rows, tokens, width]");
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = tokens.size(0);
  if (conditioning.adapters != nullptr) {
    prepared->adapters = EvalContext({{.first_row = 0,
                                       .rows = prepared->rows,
                                       .adapters = conditioning.adapters}});
  }
  for (const UNetLayers* layers : AllLayers()) {
    layers->ProjectContext(tokens, prepared->adapters, prepared->tensors);
  }
  const absl::Status embedded =
      embeddings_.Prepare(conditioning, prepared->adapters, prepared->tensors);
  if (!embedded.ok()) return embedded;
  const at::Tensor& image = conditioning.image;
  if (!image.defined()) return prepared;
  const int64_t channels = config_.in_channels - config_.out_channels;
  if (image.dim() != 4 || image.size(1) != channels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "conditioning image: this U-Net takes ", channels,
        " channels beside the sample's, [rows, channels, height, width]"));
  }
  prepared->tensors.push_back(image.to(placement().device, placement().dtype));
  return prepared;
}

BatchKey UNet2DConditionModel::KeyOf(at::IntArrayRef sample,
                                     const Prepared& prepared) const {
  BatchKey key = {.denoiser = this, .sizes = sample.vec()};
  if (!prepared.tensors.empty()) {
    key.sizes.push_back(prepared.tensors[0].size(1));
  }
  return key;
}

Placement UNet2DConditionModel::placement() const {
  return {.device = conv_in_.bias.device(),
          .dtype = conv_in_.bias.scalar_type()};
}

at::Tensor UNet2DConditionModel::Forward(const at::Tensor& sample,
                                         const at::Tensor& times,
                                         const Prepared& prepared) const {
  size_t count = prepared.tensors.size();
  at::Tensor x = sample;
  if (x.size(1) < config_.in_channels) {
    at::Tensor image = prepared.tensors[--count];
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes[1] = image.size(1);
    x = at::cat({x, image.expand(sizes)}, 1);
  }
  const at::Tensor projected = TimesOf(times, prepared, count);
  UNetConditioning conditioning = {
      TimeCursor(projected),
      ContextCursor(prepared.tensors, prepared.pictures, prepared.edits),
      prepared.adapters, &prepared.controls};
  x = (config_.center_input_sample ? 2 * x - 1 : x)
          .contiguous(at::MemoryFormat::ChannelsLast);
  x = conv_in_.forward(x, prepared.adapters);
  std::vector<at::Tensor> skips = {x};  // [B, C0, H, W]
  for (const UNetDownBlock& block : down_blocks_) {
    x = block.forward(x, conditioning, skips);
  }
  if (mid_block_.has_value()) {
    x = mid_block_->forward(x, conditioning);
    conditioning.EndMiddle(x);
  }
  if (!prepared.controls.empty()) {
    for (size_t i = 0; i < skips.size(); ++i) {
      AddEarly(prepared.controls, i, skips.size(), skips[i]);
    }
    AddLate(prepared.controls, /*block=*/0, /*blocks=*/1, x);
  }
  for (const UNetUpBlock& block : up_blocks_) {
    x = block.forward(x, conditioning, skips);
  }
  return conv_out_.forward(
      conv_norm_out_.forward_through(config_.resnet.activation, x),
      prepared.adapters);
}

}  // namespace genzo
