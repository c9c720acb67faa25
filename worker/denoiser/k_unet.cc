#include "worker/denoiser/k_unet.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/conv_transpose2d.h"
#include "ATen/ops/cos.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/reflection_pad2d.h"
#include "ATen/ops/sin.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/denoiser/joint_transformer.h"
#include "worker/kernels/row_bits.h"
#include "worker/nn/attention.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kNetwork[] = "this latent upscaler";
constexpr int64_t kGroupSize = 32;
constexpr double kAttentionNormEps = 1e-5;

ConvGeometry Same(int64_t kernel) {
  return {.kernel = kernel, .stride = 1, .padding = (kernel - 1) / 2};
}

at::Tensor OfEachRow(const Linear& linear, const at::Tensor& x) {
  if (!x.is_cpu() || x.size(0) == 1) return linear.forward(x);
  return RowByRow(x.size(0), [&](int64_t row) {
    return linear.forward(x.narrow(0, row, 1));
  });
}

// A smoothing filter for every channel by itself, [C, 1, 4, 4].
at::Tensor Filter(const at::Tensor& x, double gain) {
  const at::Tensor line =
      at::tensor({1.0, 3.0, 3.0, 1.0}, at::kDouble) * (gain / 8);
  return (line.unsqueeze(1) * line)
      .to(x.device(), x.scalar_type())
      .expand({x.size(1), 1, 4, 4})
      .contiguous();
}

at::Tensor Downsample(const at::Tensor& x) {
  return at::conv2d(at::reflection_pad2d(x, {1, 1, 1, 1}), Filter(x, 1),
                    /*bias=*/{}, /*stride=*/2, at::IntArrayRef({0}),
                    /*dilation=*/1, /*groups=*/x.size(1));
}

at::Tensor Upsample(const at::Tensor& x) {
  return at::conv_transpose2d(at::reflection_pad2d(x, {1, 1, 1, 1}),
                              Filter(x, 2), /*bias=*/{}, /*stride=*/2,
                              /*padding=*/3, /*output_padding=*/0,
                              /*groups=*/x.size(1));
}

std::vector<bool> ReadBlockTypes(JsonConfig& json, const std::string& key,
                                 const std::string& plain,
                                 const std::string& with_attention,
                                 size_t count) {
  std::vector<bool> result;
  for (const std::string& type : json.Strings(key, {})) {
    if (type != plain && type != with_attention) {
      json.Fail(absl::StatusCode::kUnimplemented, key,
                absl::StrCat("names a block other than ", plain, " and ",
                             with_attention));
    }
    result.push_back(type == with_attention);
  }
  if (result.size() == count) return result;
  json.Fail(absl::StatusCode::kInvalidArgument, key,
            "differs in length from block_out_channels");
  return std::vector<bool>(count);
}

void CheckDivisible(JsonConfig& json, const KUNetConfig& config) {
  for (const int64_t channels : config.block_out_channels) {
    if (channels % kGroupSize == 0 && channels % config.head_dim == 0) continue;
    json.Fail(absl::StatusCode::kInvalidArgument, "block_out_channels",
              absl::StrCat("is not divisible by ", kGroupSize,
                           " and attention_head_dim ", config.head_dim));
  }
  if (config.time_width % 2 != 0) {
    json.Fail(absl::StatusCode::kInvalidArgument, "time_embedding_dim",
              "is odd");
  }
  if (config.in_channels <= config.latent_channels()) {
    json.Fail(absl::StatusCode::kInvalidArgument, "in_channels",
              "have no room for a picture beside the latent");
  }
}

// The reference tells the deepest up block, which has no skip, by its widths.
bool IsDeepest(const KUNetConfig& config, size_t level) {
  const std::vector<int64_t>& widths = config.block_out_channels;
  return widths[level] == config.time_width && level > 0 &&
         widths[level - 1] == config.time_width;
}

void CheckDepth(JsonConfig& json, const KUNetConfig& config) {
  const size_t levels = config.block_out_channels.size();
  for (size_t level = 0; level < levels; ++level) {
    const bool attends = config.up_has_attention[levels - 1 - level];
    const bool is_last = level + 1 == levels;
    if ((attends && IsDeepest(config, level)) == is_last &&
        (!is_last || config.down_has_attention[level])) {
      continue;
    }
    json.Fail(absl::StatusCode::kUnimplemented, "block_out_channels",
              absl::StrCat("does not end in two levels of "
                           "time_embedding_dim, ",
                           config.time_width,
                           ", the last with attention, and has no others"));
  }
}

std::vector<float> SigmasOf(const std::vector<float>& alphas_cumprod) {
  std::vector<float> sigmas;
  for (const float alpha : alphas_cumprod) {
    sigmas.push_back(std::sqrt((1 - alpha) / alpha));
  }
  return sigmas;
}

}  // namespace

absl::StatusOr<KUNetConfig> ReadKUNetConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  KUNetConfig config;
  for (const auto& [key, value] :
       {std::pair("act_fn", "gelu"), std::pair("timestep_post_act", "gelu"),
        std::pair("time_embedding_type", "fourier")}) {
    if (json->String(key, "") == value) continue;
    json->Fail(absl::StatusCode::kUnimplemented, key,
               absl::StrCat("is not ", value));
  }
  for (const char* key :
       {"mid_block_type", "norm_num_groups", "class_embed_type",
        "num_class_embeds", "addition_embed_type", "encoder_hid_dim",
        "encoder_hid_dim_type", "center_input_sample", "upcast_attention"}) {
    json->RequireUnset(key);
  }
  config.in_channels = json->Int("in_channels", config.in_channels, 1);
  config.out_channels = json->Int("out_channels", config.out_channels, 2);
  config.sample_size = json->BothSides("sample_size", config.sample_size);
  config.block_out_channels =
      json->Ints("block_out_channels", {384, 384, 768, 768});
  const size_t blocks = config.block_out_channels.size();
  config.layers_per_block =
      json->IntPerBlock("layers_per_block", blocks, 2, JsonConfig::kMaxLayers);
  config.down_has_attention =
      ReadBlockTypes(*json, "down_block_types", "KDownBlock2D",
                     "KCrossAttnDownBlock2D", blocks);
  config.up_has_attention = ReadBlockTypes(
      *json, "up_block_types", "KUpBlock2D", "KCrossAttnUpBlock2D", blocks);
  config.cross_attention_dim = json->Int("cross_attention_dim", 1280, 1);
  config.head_dim = json->Int("attention_head_dim", 8, 1);
  config.time_width =
      json->Int("time_embedding_dim", 2 * config.block_out_channels.front(), 1);
  config.condition_width = json->Int("time_cond_proj_dim", 896, 1);
  config.norm_eps = json->Number("norm_eps", 1e-5, /*min=*/0, /*max=*/1);
  config.conv_in_kernel = json->Int("conv_in_kernel", 3, 1);
  config.conv_out_kernel = json->Int("conv_out_kernel", 3, 1);
  CheckDivisible(*json, config);
  CheckDepth(*json, config);
  if (!json->status().ok()) return json->status();
  return config;
}

KUNet::AdaGroupNorm::AdaGroupNorm(const Weights& weights, int64_t time_width,
                                  int64_t channels, double eps)
    : linear(weights["linear"], time_width, 2 * channels),
      groups(std::max<int64_t>(1, channels / kGroupSize)),
      eps(eps) {}

at::Tensor KUNet::AdaGroupNorm::forward(const at::Tensor& x,
                                        const at::Tensor& time) const {
  const auto factors =
      OfEachRow(linear, time).unsqueeze(2).unsqueeze(3).chunk(2, /*dim=*/1);
  return at::group_norm(x, groups, /*weight=*/{}, /*bias=*/{}, eps) *
             (1 + factors[0]) +
         factors[1];
}

KUNet::Resnet::Resnet(const Weights& weights, const KUNetConfig& config,
                      int64_t in, int64_t inner, int64_t out)
    : norm1(weights["norm1"], config.time_width, in, config.norm_eps),
      conv1(weights["conv1"], in, inner),
      norm2(weights["norm2"], config.time_width, inner, config.norm_eps),
      conv2(weights["conv2"], inner, out) {
  if (in == out) return;
  conv_shortcut.emplace(weights["conv_shortcut"], in, out, Same(1),
                        /*has_bias=*/false);
}

at::Tensor KUNet::Resnet::forward(const at::Tensor& x,
                                  const at::Tensor& time) const {
  const at::Tensor h = conv1.forward(at::gelu(norm1.forward(x, time)));
  return conv2.forward_add(
      at::gelu(norm2.forward(h, time)),
      conv_shortcut.has_value() ? conv_shortcut->forward(x) : x);
}

KUNet::Attention::Attention(const Weights& weights, const KUNetConfig& config,
                            int64_t dim, int64_t context_dim)
    : to_q(weights["to_q"], dim, dim),
      to_k(weights["to_k"], context_dim, dim),
      to_v(weights["to_v"], context_dim, dim),
      to_out(weights.At("to_out", 0), dim, dim),
      heads(dim / config.head_dim) {}

KUNet::AttentionBlock::AttentionBlock(const Weights& weights,
                                      const KUNetConfig& config, int64_t dim,
                                      bool attends_itself)
    : norm2(weights["norm2"], config.time_width, dim, kAttentionNormEps),
      norm_cross(weights["attn2"]["norm_cross"], config.cross_attention_dim,
                 kAttentionNormEps),
      attn2(weights["attn2"], config, dim, config.cross_attention_dim) {
  if (!attends_itself) return;
  norm1.emplace(weights["norm1"], config.time_width, dim, kAttentionNormEps);
  attn1.emplace(weights["attn1"], config, dim, dim);
}

at::Tensor KUNet::AttentionBlock::forward(at::Tensor x, const at::Tensor& time,
                                          const at::Tensor& keys,
                                          const at::Tensor& values) const {
  const auto to_places = [](const at::Tensor& t) {
    return t.permute({0, 2, 3, 1}).flatten(1, 2);  // [B, H W, C]
  };
  const auto add = [&](const Attention& attention, const at::Tensor& q,
                       const at::Tensor& k, const at::Tensor& v) {
    return attention.to_out
        .forward_add(MultiHeadAttention(q, k, v, attention.heads), to_places(x))
        .unflatten(1, {x.size(2), x.size(3)})
        .permute({0, 3, 1, 2});
  };
  if (attn1.has_value()) {
    const at::Tensor h = to_places(norm1->forward(x, time)).contiguous();
    x = add(*attn1, attn1->to_q.forward(h), attn1->to_k.forward(h),
            attn1->to_v.forward(h));
  }
  const at::Tensor h = to_places(norm2.forward(x, time)).contiguous();
  return add(attn2, attn2.to_q.forward(h), keys, values);
}

KUNet::Block KUNet::DownBlock(const Weights& weights, const KUNetConfig& config,
                              size_t level) {
  const bool is_last = level + 1 == config.block_out_channels.size();
  const int64_t out = config.block_out_channels[level];
  int64_t in = config.block_out_channels[level == 0 ? 0 : level - 1];
  Block block = {.resnets = {}, .attentions = {}, .has_sampler = !is_last};
  for (int64_t i = 0; i < config.layers_per_block[level]; ++i) {
    block.resnets.emplace_back(weights.At("resnets", i), config, in, out, out);
    in = out;
    if (!config.down_has_attention[level]) continue;
    block.attentions.emplace_back(weights.At("attentions", i), config, out,
                                  /*attends_itself=*/is_last);
  }
  return block;
}

KUNet::Block KUNet::UpBlock(const Weights& weights, const KUNetConfig& config,
                            size_t index) {
  const size_t levels = config.block_out_channels.size();
  const size_t level = levels - 1 - index;
  const int64_t own = config.block_out_channels[level];
  const int64_t next = config.block_out_channels[level == 0 ? 0 : level - 1];
  const bool attends = config.up_has_attention[index];
  const bool is_first = index == 0;
  const int64_t layers = config.layers_per_block[level];
  Block block = {.resnets = {}, .attentions = {}, .has_sampler = level > 0};
  int64_t in = is_first ? own : 2 * own;
  for (int64_t i = 0; i < layers; ++i) {
    const int64_t out = i + 1 == layers ? next : own;
    block.resnets.emplace_back(weights.At("resnets", i), config, in,
                               attends ? own : out, out);
    in = own;
    if (!attends) continue;
    block.attentions.emplace_back(weights.At("attentions", i), config, out,
                                  /*attends_itself=*/is_first);
  }
  return block;
}

KUNet::KUNet(const KUNetConfig& config,
             const std::vector<float>& alphas_cumprod, const Weights& weights)
    : config_(config),
      sigmas_(SigmasOf(alphas_cumprod)),
      conv_in_(weights["conv_in"], config.in_channels,
               config.block_out_channels.front(), Same(config.conv_in_kernel)),
      frequencies_(
          weights["time_proj"].GetFloat("weight", {config.time_width / 2})),
      cond_proj_(weights["time_embedding"]["cond_proj"], config.condition_width,
                 config.time_width, /*has_bias=*/false),
      time_1_(weights["time_embedding"]["linear_1"], config.time_width,
              config.time_width),
      time_2_(weights["time_embedding"]["linear_2"], config.time_width,
              config.time_width),
      conv_out_(weights["conv_out"], config.block_out_channels.front(),
                config.out_channels, Same(config.conv_out_kernel)),
      times_(conv_out_.bias.device(), [this](const at::Tensor& timesteps) {
        return EmbedTime(timesteps.item<float>());
      }) {
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    down_blocks_.push_back(DownBlock(weights.At("down_blocks", i), config, i));
    up_blocks_.push_back(UpBlock(weights.At("up_blocks", i), config, i));
  }
}

at::Tensor KUNet::EmbedTime(float timestep) const {
  const auto last = static_cast<float>(sigmas_.size() - 1);
  const float place = std::clamp(timestep, 0.0F, last);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sigmas_.size() - 1);
  const float share = place - static_cast<float>(below);
  const float sigma = (1 - share) * sigmas_[below] + share * sigmas_[above];
  const at::Tensor angles =
      frequencies_.unsqueeze(0) * (std::log(sigma) * 0.25F) * 2.0 * M_PI;
  return at::cat({at::cos(angles), at::sin(angles)}, 1).to(placement().dtype);
}

Placement KUNet::placement() const {
  return {.device = conv_out_.bias.device(),
          .dtype = conv_out_.bias.scalar_type()};
}

std::vector<const KUNet::AttentionBlock*> KUNet::Attentions() const {
  std::vector<const AttentionBlock*> all;
  for (const auto* blocks : {&down_blocks_, &up_blocks_}) {
    for (const Block& block : *blocks) {
      for (const AttentionBlock& attention : block.attentions) {
        all.push_back(&attention);
      }
    }
  }
  return all;
}

absl::StatusOr<PreparedRef> KUNet::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  const absl::Status known =
      CheckConditioning(conditioning, {"tokens", "pooled", "image"}, kNetwork);
  if (!known.ok()) return known;
  if (conditioning.adapters != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning adapters: ", kNetwork, " takes none"));
  }
  const int64_t channels = config_.in_channels - config_.latent_channels();
  const at::Tensor& image = conditioning.image;
  if (image.dim() != 4 || image.size(1) != channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning image: ", kNetwork, " takes ", channels,
                     " channels, [rows, channels, height, width]"));
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = conditioning.tokens.size(0);
  for (const AttentionBlock* block : Attentions()) {
    const at::Tensor context = block->norm_cross.forward(conditioning.tokens);
    prepared->tensors.push_back(block->attn2.to_k.forward(context));
    prepared->tensors.push_back(block->attn2.to_v.forward(context));
  }
  const Placement own = placement();
  prepared->tensors.push_back(
      OfEachRow(cond_proj_, conditioning.pooled.to(own.device, own.dtype)));
  prepared->tensors.push_back(
      image.to(own.device, own.dtype).expand({prepared->rows, -1, -1, -1}));
  return prepared;
}

at::Tensor KUNet::Forward(const at::Tensor& sample, const at::Tensor& times,
                          const Prepared& prepared) const {
  const std::vector<at::Tensor>& given = prepared.tensors;
  const size_t count = given.size();
  const at::Tensor first = OfEachRow(time_1_, times + given[count - 2]);
  const at::Tensor time = at::gelu(OfEachRow(time_2_, at::gelu(first)));
  std::vector<int64_t> sizes = sample.sizes().vec();
  sizes[1] = given[count - 1].size(1);
  at::Tensor x = at::cat({sample, given[count - 1].expand(sizes)}, 1)
                     .contiguous(at::MemoryFormat::ChannelsLast);
  x = conv_in_.forward(x);
  size_t read = 0;
  const auto walk = [&](const Block& block) {
    for (size_t i = 0; i < block.resnets.size(); ++i) {
      x = block.resnets[i].forward(x, time);
      if (block.attentions.empty()) continue;
      x = block.attentions[i].forward(x, time, given[read], given[read + 1]);
      read += 2;
    }
  };
  std::vector<at::Tensor> skips;  // what the last layer of a level gave
  for (const Block& block : down_blocks_) {
    walk(block);
    skips.push_back(x);
    if (block.has_sampler) x = Downsample(x);
  }
  for (size_t i = 0; i < up_blocks_.size(); ++i) {
    // The deepest level goes on with what it has.
    if (i > 0) x = at::cat({x, skips[up_blocks_.size() - 1 - i]}, 1);
    walk(up_blocks_[i]);
    if (up_blocks_[i].has_sampler) x = Upsample(x);
  }
  return -conv_out_.forward(x).narrow(1, 0, config_.latent_channels());
}

}  // namespace genzo
