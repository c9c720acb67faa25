#include "worker/denoiser/control_net.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/flip.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr ConvGeometry kSame = {.kernel = 3, .stride = 1, .padding = 1};
constexpr ConvGeometry kPointwise = {.kernel = 1, .stride = 1, .padding = 0};

// Each row by itself, for its bits.
at::Tensor MeanOverPlaces(const at::Tensor& x) {
  std::vector<at::Tensor> rows;
  for (int64_t row = 0; row < x.size(0); ++row) {
    rows.push_back(x.narrow(0, row, 1).mean({2, 3}, /*keepdim=*/true));
  }
  return at::cat(rows);  // [B, C, 1, 1]
}

// The config.json of the U-Net that such a network goes with: the way up, of
// which it says nothing, mirrors the way down.
TextFile UNetConfigOf(const json& own, const std::string& path) {
  json unet = own;
  const auto or_else = [&](const char* key, const json& otherwise) {
    const auto found = own.find(key);
    return found == own.end() ? otherwise : *found;
  };
  unet["out_channels"] = or_else("in_channels", 4);
  const json down =
      or_else("down_block_types",
              json::array({"CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                           "CrossAttnDownBlock2D", "DownBlock2D"}));
  json up = json::array();
  if (down.is_array()) {
    for (auto type = down.rbegin(); type != down.rend(); ++type) {
      up.push_back(*type == "DownBlock2D" ? "UpBlock2D" : "CrossAttnUpBlock2D");
    }
  }
  unet["up_block_types"] = up;
  return TextFile(path, unet.dump());
}

}  // namespace

absl::StatusOr<ControlNetConfig> ReadControlNetConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  ControlNetConfig config;
  json->RequireString("_class_name", "ControlNetModel");
  config.hint_channels = json->Int("conditioning_channels", 3, 1, 16);
  config.hint_embedding_channels =
      json->Ints("conditioning_embedding_out_channels",
                 config.hint_embedding_channels, 1, 4096);
  const std::string order =
      json->String("controlnet_conditioning_channel_order", "rgb");
  config.bgr = order == "bgr";
  if (order != "rgb" && !config.bgr) {
    json->Fail(absl::StatusCode::kUnimplemented,
               "controlnet_conditioning_channel_order",
               "is not one of rgb, bgr");
  }
  if (config.hint_embedding_channels.empty()) {
    json->Fail(absl::StatusCode::kInvalidArgument,
               "conditioning_embedding_out_channels", "is empty");
  }
  config.pools = json->Bool("global_pool_conditions", false);
  if (!json->status().ok()) return json->status();
  auto unet =
      ReadUNet2DConditionConfig(UNetConfigOf(json->object(), file.path()));
  if (!unet.ok()) return unet.status();
  config.unet = *std::move(unet);
  if (!config.unet.mid_exists || config.unet.embeddings.guidance_width > 0) {
    return absl::UnimplementedError(absl::StrCat(
        file.path(), ": mid_block_type is null or time_cond_proj_dim is set"));
  }
  return config;
}

ControlNet::ControlNet(const ControlNetConfig& config, const Weights& weights)
    : config_(config),
      conv_in_(weights["conv_in"], config.unet.in_channels,
               config.unet.block_out_channels.front(), kSame),
      embeddings_(config.unet.embeddings, weights),
      controlnet_cond_embedding_(weights["controlnet_cond_embedding"],
                                 config.hint_channels,
                                 config.hint_embedding_channels,
                                 config.unet.block_out_channels.front()),
      mid_block_(weights["mid_block"], MidBlockConfig(config.unet)),
      controlnet_mid_block_(weights["controlnet_mid_block"],
                            config.unet.block_out_channels.back(),
                            config.unet.block_out_channels.back(), kPointwise),
      times_(conv_in_.bias.device(), [this](const at::Tensor& timesteps) {
        const at::Tensor times = embeddings_.OfTimes(timesteps);
        return embeddings_.OfTimesAlone()
                   ? ProjectTimes(embeddings_.FromTimes(times, NoAdapters()))
                   : times;
      }) {
  const std::vector<int64_t>& channels = config.unet.block_out_channels;
  const auto add_skip = [&](int64_t width) {
    const auto index = static_cast<int64_t>(controlnet_down_blocks_.size());
    controlnet_down_blocks_.emplace_back(
        weights.At("controlnet_down_blocks", index), width, width, kPointwise);
  };
  add_skip(channels.front());
  for (size_t level = 0; level < channels.size(); ++level) {
    const UNetBlockConfig block = DownBlockConfig(config.unet, level);
    down_blocks_.emplace_back(weights.At("down_blocks", level), block);
    for (size_t i = 0; i < block.in_channels.size(); ++i) {
      add_skip(channels[level]);
    }
    if (block.has_sampler) add_skip(channels[level]);
  }
}

std::vector<const UNetLayers*> ControlNet::AllLayers() const {
  std::vector<const UNetLayers*> layers;
  for (const UNetDownBlock& block : down_blocks_) {
    layers.push_back(&block.layers());
  }
  layers.push_back(&mid_block_.layers());
  return layers;
}

at::Tensor ControlNet::ProjectTimes(const at::Tensor& temb) const {
  std::vector<at::Tensor> times;
  for (const UNetLayers* layers : AllLayers()) {
    layers->ProjectTime(temb, NoAdapters(), times);
  }
  return at::cat(times, 1);
}

at::Tensor ControlNet::ProjectRows(const at::Tensor& temb) const {
  if (!temb.is_cpu()) return ProjectTimes(temb);
  std::vector<at::Tensor> rows;
  for (int64_t row = 0; row < temb.size(0); ++row) {
    rows.push_back(ProjectTimes(temb.narrow(0, row, 1)));
  }
  return at::cat(rows);
}

Placement ControlNet::placement() const {
  return {.device = conv_in_.bias.device(),
          .dtype = conv_in_.bias.scalar_type()};
}

absl::StatusOr<PreparedRef> ControlNet::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  const at::Tensor& tokens = conditioning.tokens;
  const at::Tensor& hint = conditioning.image;
  if (!tokens.defined() || tokens.dim() != 3 ||
      tokens.size(2) != config_.unet.cross_attention_dim[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning tokens: this ControlNet needs [rows, "
                     "tokens, ",
                     config_.unet.cross_attention_dim[0], "]"));
  }
  if (!hint.defined() || hint.dim() != 4 ||
      hint.size(1) != config_.hint_channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning image: this ControlNet needs a hint [1, ",
                     config_.hint_channels, ", height, width]"));
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = tokens.size(0);
  for (const UNetLayers* layers : AllLayers()) {
    layers->ProjectContext(tokens, NoAdapters(), prepared->tensors);
  }
  const absl::Status embedded =
      embeddings_.Prepare(conditioning, NoAdapters(), prepared->tensors);
  if (!embedded.ok()) return embedded;
  const at::Tensor placed = hint.to(placement().device, placement().dtype);
  const at::Tensor made = controlnet_cond_embedding_.forward(
      config_.bgr ? placed.flip({1}) : placed);
  std::vector<int64_t> sizes = made.sizes().vec();
  sizes[0] = prepared->rows;
  prepared->tensors.push_back(made.expand(sizes));
  return prepared;
}

ControlResiduals ControlNet::Forward(const at::Tensor& sample,
                                     const at::Tensor& times,
                                     const Prepared& prepared) const {
  size_t count = prepared.tensors.size();
  const at::Tensor hint = prepared.tensors[--count];
  const at::Tensor projected =
      embeddings_.OfTimesAlone()
          ? times
          : ProjectRows(
                embeddings_.Join(times, prepared.tensors, count, NoAdapters()));
  const std::vector<PicturePrompt> no_pictures;
  UNetConditioning conditioning = {TimeCursor(projected),
                                   ContextCursor(prepared.tensors, no_pictures),
                                   NoAdapters()};
  at::Tensor x =
      conv_in_.forward(sample.contiguous(at::MemoryFormat::ChannelsLast)) +
      hint;
  std::vector<at::Tensor> skips = {x};  // [B, C0, H, W]
  for (const UNetDownBlock& block : down_blocks_) {
    x = block.forward(x, conditioning, skips);
  }
  x = mid_block_.forward(x, conditioning);
  const auto finish = [this](const Conv2d& conv, const at::Tensor& y) {
    const at::Tensor residual = conv.forward(y);
    return config_.pools ? MeanOverPlaces(residual) : residual;
  };
  ControlResiduals residuals;
  for (size_t i = 0; i < skips.size(); ++i) {
    residuals.early.push_back(finish(controlnet_down_blocks_[i], skips[i]));
  }
  residuals.late = {finish(controlnet_mid_block_, x)};
  return residuals;
}

}  // namespace genzo
