#include "worker/depth/dpt.h"

#include <algorithm>
#include <cmath>

#include "ATen/ops/_upsample_bicubic2d_aa.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/conv_transpose2d.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/relu.h"
#include "ATen/ops/upsample_bilinear2d.h"
#include "absl/strings/str_cat.h"
#include "worker/nn/attention.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr size_t kFeatures = 4;
constexpr int64_t kHeadWidth = 32;
constexpr ConvGeometry kSame = {.kernel = 3, .stride = 1, .padding = 1};
constexpr ConvGeometry kPoint = {.kernel = 1, .stride = 1, .padding = 0};

at::Tensor Twice(const at::Tensor& x) {
  return at::upsample_bilinear2d(x, {2 * x.size(2), 2 * x.size(3)},
                                 /*align_corners=*/true);
}

void CheckSizes(const DptConfig& config, JsonConfig& json) {
  if (config.neck_hidden_sizes.size() != kFeatures ||
      config.reassemble_factors.size() != kFeatures ||
      config.backbone_out_indices.size() != kFeatures) {
    json.Fail(absl::StatusCode::kInvalidArgument, "neck_hidden_sizes",
              "or reassemble_factors or backbone_out_indices are not four");
  }
  const auto& layers = config.backbone_out_indices;
  for (size_t i = 0; i < layers.size(); ++i) {
    const bool rises = i == 0 || layers[i] > layers[i - 1];
    if (rises && layers[i] < config.num_hidden_layers) continue;
    json.Fail(absl::StatusCode::kInvalidArgument, "backbone_out_indices",
              "are not those of layers, each after the one before");
  }
  for (const float factor : config.reassemble_factors) {
    if (factor == 4 || factor == 2 || factor == 1 || factor == 0.5F) continue;
    json.Fail(absl::StatusCode::kUnimplemented, "reassemble_factors",
              "has one that is none of 4, 2, 1 and 0.5");
  }
  if (config.hidden_size % config.num_attention_heads != 0) {
    json.Fail(absl::StatusCode::kInvalidArgument, "num_attention_heads",
              "does not divide hidden_size");
  }
  if (config.image_size % config.patch_size != 0) {
    json.Fail(absl::StatusCode::kInvalidArgument, "patch_size",
              "does not divide image_size");
  }
}

}  // namespace

absl::StatusOr<DptConfig> ReadDptConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  DptConfig config;
  const auto size = [&](const char* key, int64_t& value) {
    value = json->Int(key, value, /*min=*/1);
  };
  size("hidden_size", config.hidden_size);
  config.num_hidden_layers = json->Int(
      "num_hidden_layers", config.num_hidden_layers, 1, JsonConfig::kMaxLayers);
  size("num_attention_heads", config.num_attention_heads);
  size("intermediate_size", config.intermediate_size);
  size("fusion_hidden_size", config.fusion_hidden_size);
  size("num_channels", config.num_channels);
  config.image_size = json->Int("image_size", config.image_size, 1, 4096);
  size("patch_size", config.patch_size);
  config.layer_norm_eps =
      json->Number("layer_norm_eps", config.layer_norm_eps, 0, 1);
  config.qkv_bias = json->Bool("qkv_bias", true);
  config.backbone_out_indices =
      json->Ints("backbone_out_indices", config.backbone_out_indices, 0);
  config.neck_hidden_sizes =
      json->Ints("neck_hidden_sizes", config.neck_hidden_sizes);
  if (json->Has("reassemble_factors")) {
    config.reassemble_factors = json->Floats("reassemble_factors");
  }
  config.readout_type = json->String("readout_type", config.readout_type);
  if (config.readout_type != "project" && config.readout_type != "add" &&
      config.readout_type != "ignore") {
    json->Fail(absl::StatusCode::kUnimplemented, "readout_type",
               "is not one of \"project\", \"add\", \"ignore\"");
  }
  if (json->Has("hidden_act")) json->RequireString("hidden_act", "gelu");
  json->RequireUnset("use_batch_norm_in_fusion_residual");
  json->RequireUnset("add_projection");
  const bool is_hybrid = json->Bool("is_hybrid", false);
  CheckSizes(config, *json);
  if (is_hybrid) {
    const auto backbone =
        json->object().value("backbone_config", nlohmann::json::object());
    auto read = ReadBitConfig(
        JsonConfig(backbone.is_object() ? backbone : nlohmann::json::object(),
                   json->name()));
    if (!read.ok()) return read.status();
    config.backbone = *std::move(read);
    if (config.patch_size != BitBackbone::kReduction) {
      json->Fail(absl::StatusCode::kUnimplemented, "patch_size",
                 absl::StrCat("is not ", BitBackbone::kReduction,
                              ", as is_hybrid needs"));
    }
  } else {
    json->RequireUnset("backbone_config");
  }
  if (!json->status().ok()) return json->status();
  return config;
}

Dpt::Layer::Layer(const DptConfig& config, const Weights& weights)
    : heads(config.num_attention_heads),
      before(weights["layernorm_before"], config.hidden_size,
             config.layer_norm_eps),
      after(weights["layernorm_after"], config.hidden_size,
            config.layer_norm_eps),
      query(weights["attention"]["attention"]["query"], config.hidden_size,
            config.hidden_size, config.qkv_bias),
      key(weights["attention"]["attention"]["key"], config.hidden_size,
          config.hidden_size, config.qkv_bias),
      value(weights["attention"]["attention"]["value"], config.hidden_size,
            config.hidden_size, config.qkv_bias),
      dense(weights["attention"]["output"]["dense"], config.hidden_size,
            config.hidden_size),
      intermediate(weights["intermediate"]["dense"], config.hidden_size,
                   config.intermediate_size),
      output(weights["output"]["dense"], config.intermediate_size,
             config.hidden_size) {}

at::Tensor Dpt::Layer::forward(at::Tensor x) const {
  const at::Tensor normed = before.forward(x);
  x = x + dense.forward(MultiHeadAttention(query.forward(normed),
                                           key.forward(normed),
                                           value.forward(normed), heads));
  return x + output.forward(intermediate.forward_gelu(after.forward(x)));
}

Dpt::Reassemble::Reassemble(const DptConfig& config, const Weights& weights,
                            int64_t index)
    : readout_type(config.readout_type),
      factor(config.reassemble_factors[index]),
      projection(weights.At("layers", index)["projection"], config.hidden_size,
                 config.neck_hidden_sizes[index], kPoint) {
  const int64_t channels = config.neck_hidden_sizes[index];
  if (readout_type == "project") {
    readout.emplace(weights.At("readout_projects", index)["0"],
                    2 * config.hidden_size, config.hidden_size);
  }
  const Weights resize = weights.At("layers", index)["resize"];
  if (factor > 1) {
    const auto side = static_cast<int64_t>(factor);
    larger_weight = resize.Get("weight", {channels, channels, side, side});
    larger_bias = resize.Get("bias", {channels});
  } else if (factor < 1) {
    smaller.emplace(
        resize, channels, channels,
        ConvGeometry{
            .kernel = 3, .stride = std::lround(1 / factor), .padding = 1});
  }
}

at::Tensor Dpt::Reassemble::forward(const at::Tensor& tokens,
                                    int64_t grid) const {
  const at::Tensor first = tokens.narrow(1, 0, 1);
  at::Tensor x = tokens.narrow(1, 1, tokens.size(1) - 1);
  if (readout_type == "project") {
    x = readout->forward_gelu(at::cat({x, first.expand_as(x)}, 2));
  } else if (readout_type == "add") {
    x = x + first;
  }
  x = x.transpose(1, 2).unflatten(2, {grid, grid}).contiguous();
  x = projection.forward(x);
  if (factor > 1) {
    const auto side = static_cast<int64_t>(factor);
    return at::conv_transpose2d(x, larger_weight, larger_bias, {side, side});
  }
  return smaller.has_value() ? smaller->forward(x) : x;
}

Dpt::Residual::Residual(const Weights& weights, int64_t width)
    : convolution1(weights["convolution1"], width, width, kSame),
      convolution2(weights["convolution2"], width, width, kSame) {}

at::Tensor Dpt::Residual::forward(const at::Tensor& x) const {
  return x + convolution2.forward(at::relu(convolution1.forward(at::relu(x))));
}

Dpt::Fusion::Fusion(const Weights& weights, int64_t width, bool is_first)
    : residual_layer2(weights["residual_layer2"], width),
      projection(weights["projection"], width, width, kPoint) {
  if (!is_first) residual_layer1.emplace(weights["residual_layer1"], width);
}

at::Tensor Dpt::Fusion::forward(const at::Tensor& fused,
                                const at::Tensor& feature) const {
  at::Tensor x = feature;
  if (fused.defined()) {
    if (x.sizes() != fused.sizes()) {
      x = at::upsample_bilinear2d(x, {fused.size(2), fused.size(3)},
                                  /*align_corners=*/false);
    }
    x = fused + residual_layer1->forward(x);
  }
  return projection.forward(Twice(residual_layer2.forward(x)));
}

Dpt::Dpt(const DptConfig& config, const Weights& weights)
    : config_(config),
      head_0_(weights["head"]["head"]["0"], config.fusion_hidden_size,
              config.fusion_hidden_size / 2, kSame),
      head_2_(weights["head"]["head"]["2"], config.fusion_hidden_size / 2,
              kHeadWidth, kSame),
      head_4_(weights["head"]["head"]["4"], kHeadWidth, 1, kPoint) {
  const Weights embeddings = weights["dpt"]["embeddings"];
  const int64_t width = config.hidden_size;
  Weights patches = embeddings["patch_embeddings"]["projection"];
  int64_t channels = config.num_channels;
  int64_t patch = config.patch_size;
  if (config.backbone.has_value()) {
    backbone_.emplace(*config.backbone, embeddings["backbone"]);
    patches = embeddings["projection"];
    channels = config.backbone->hidden_sizes[2];
    patch = 1;
  }
  patch_weight_ = patches.Get("weight", {width, channels, patch, patch});
  patch_bias_ = patches.Get("bias", {width});
  cls_token_ = embeddings.Get("cls_token", {1, 1, width});
  position_embeddings_ = embeddings.Get(
      "position_embeddings", {1, config.grid() * config.grid() + 1, width});
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.emplace_back(config, weights["dpt"]["encoder"].At("layer", i));
  }
  const Weights neck = weights["neck"];
  for (size_t i = 0; i < kFeatures; ++i) {
    const auto index = static_cast<int64_t>(i);
    if (i >= config.backbone_features()) {
      reassemble_.emplace_back(config, neck["reassemble_stage"], index);
    }
    convs_.emplace_back(neck.At("convs", index), config.neck_hidden_sizes[i],
                        config.fusion_hidden_size, kSame, /*has_bias=*/false);
    fusion_.emplace_back(neck["fusion_stage"].At("layers", index),
                         config.fusion_hidden_size, /*is_first=*/i == 0);
  }
}

const std::set<std::string>& Dpt::IgnoredTensors() {
  // The end of the transformer, and what the first fusion has no use for.
  static const auto* const names = new std::set<std::string>{
      "dpt.layernorm.weight",
      "dpt.layernorm.bias",
      "dpt.pooler.dense.weight",
      "dpt.pooler.dense.bias",
      "neck.fusion_stage.layers.0.residual_layer1.convolution1.weight",
      "neck.fusion_stage.layers.0.residual_layer1.convolution1.bias",
      "neck.fusion_stage.layers.0.residual_layer1.convolution2.weight",
      "neck.fusion_stage.layers.0.residual_layer1.convolution2.bias"};
  return *names;
}

at::Tensor Dpt::Embed(const at::Tensor& pixels,
                      std::vector<at::Tensor>& features) const {
  at::Tensor patches;
  if (backbone_.has_value()) {
    features = backbone_->forward(pixels);
    patches = at::conv2d(features.back(), patch_weight_, patch_bias_);
    features.resize(config_.backbone_features());
  } else {
    patches = at::conv2d(pixels, patch_weight_, patch_bias_,
                         {config_.patch_size, config_.patch_size});
  }
  return at::cat({cls_token_.expand({pixels.size(0), -1, -1}),
                  patches.flatten(2).transpose(1, 2)},
                 1) +
         position_embeddings_;  // [B, 1 + grid * grid, hidden_size]
}

at::Tensor Dpt::forward(const at::Tensor& pixels) const {
  const at::Tensor sized =
      at::_upsample_bicubic2d_aa(pixels.to(patch_weight_.options()),
                                 {config_.image_size, config_.image_size},
                                 /*align_corners=*/false)
          .clamp(-1, 1);
  std::vector<at::Tensor> features;
  at::Tensor x = Embed(sized, features);
  const auto& wanted = config_.backbone_out_indices;
  size_t next = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i].forward(x);
    const auto from = wanted.begin() +
                      static_cast<std::ptrdiff_t>(config_.backbone_features());
    if (std::find(from, wanted.end(), static_cast<int64_t>(i)) ==
        wanted.end()) {
      continue;
    }
    features.push_back(reassemble_[next++].forward(x, config_.grid()));
  }
  at::Tensor fused;
  for (size_t i = 0; i < kFeatures; ++i) {
    const size_t feature = kFeatures - 1 - i;
    fused =
        fusion_[i].forward(fused, convs_[feature].forward(features[feature]));
  }
  return at::relu(head_4_.forward(
      at::relu(head_2_.forward(Twice(head_0_.forward(fused))))));
}

}  // namespace genzo
