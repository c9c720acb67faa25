#include "worker/weights/single_file/derived_config.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

using nlohmann::json;

// Sizes of tensors; 0 for what is not there.
class Shapes {
 public:
  explicit Shapes(const Entries& entries) : entries_(entries) {}

  int64_t At(const std::string& name, size_t dimension) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return 0;
    const auto& shape = found->second.shape;
    return dimension < shape.size() ? shape[dimension] : 0;
  }
  int64_t Dimensions(const std::string& name) const {
    const auto found = entries_.find(name);
    return found == entries_.end()
               ? 0
               : static_cast<int64_t>(found->second.shape.size());
  }
  bool Begins(const std::string& prefix) const {
    return AnyBegins(entries_, prefix);
  }
  int64_t Blocks(const std::string& prefix) const {
    return CountBlocks(entries_, prefix);
  }

 private:
  const Entries& entries_;
};

// Leaves the key as it is where nothing is seen.
void Set(json& config, const char* key, int64_t value) {
  if (value > 0) config[key] = value;
}

// One number if all are equal, as the published files have it.
json OneOrAll(const std::vector<int64_t>& values) {
  for (const int64_t value : values) {
    if (value != values[0]) return values;
  }
  return values.empty() ? json() : json(values[0]);
}

int64_t Heads(int64_t width) {
  constexpr int64_t kHeadWidth = 64;
  return width % kHeadWidth == 0 && width > 0 ? width / kHeadWidth : 1;
}

int64_t Groups(const std::vector<int64_t>& channels) {
  int64_t groups = 32;
  for (const int64_t count : channels) {
    while (count % groups != 0) groups /= 2;
  }
  return groups;
}

// Transformer blocks of the attentions of a block: a number, or a list where
// they differ; 0 where there are none.
json Depths(const Shapes& shapes, const std::string& block) {
  std::vector<int64_t> depths;
  const int64_t attentions = shapes.Blocks(absl::StrCat(block, ".attentions."));
  for (int64_t i = 0; i < attentions; ++i) {
    depths.push_back(shapes.Blocks(
        absl::StrCat(block, ".attentions.", i, ".transformer_blocks.")));
  }
  return depths.empty() ? json(0) : OneOrAll(depths);
}

// Depths of the whole network, as the reference class reads them: those of the
// blocks on the way down, the last also of the middle; in reverse on the way
// up, unless another key says how it is there.
void SetDepths(const Shapes& shapes, int64_t blocks, json& config) {
  json down = json::array();
  json up = json::array();
  json mirrored = json::array();
  for (int64_t i = 0; i < blocks; ++i) {
    down.push_back(Depths(shapes, absl::StrCat("down_blocks.", i)));
    up.push_back(Depths(shapes, absl::StrCat("up_blocks.", i)));
  }
  const json middle = Depths(shapes, "mid_block");
  if (down.back() == 0 && middle != 0) down.back() = middle;
  for (auto depth = down.rbegin(); depth != down.rend(); ++depth) {
    mirrored.push_back(*depth);
  }
  bool same_up = true;
  bool one = true;
  json only = 0;  // depth of all that have one
  for (size_t i = 0; i < up.size(); ++i) {
    same_up = same_up && (up[i] == 0 || up[i] == mirrored[i]);
    if (only == 0) only = down[i];
    one = one && (down[i] == 0 || down[i] == only);
    if (up[i] == 0) up[i] = 1;
    if (down[i] == 0) down[i] = 1;
  }
  const json written = one ? (only == 0 ? json(1) : only) : down;
  if (config.contains("transformer_layers_per_block") || written != 1) {
    config["transformer_layers_per_block"] = written;
  }
  if (!same_up) config["reverse_transformer_layers_per_block"] = up;
}

json UNet(json config, const Shapes& shapes) {
  Set(config, "in_channels", shapes.At("conv_in.weight", 1));
  Set(config, "out_channels", shapes.At("conv_out.weight", 0));
  std::vector<int64_t> channels, layers, widths;
  json down_types = json::array();
  json up_types = json::array();
  const int64_t blocks = shapes.Blocks("down_blocks.");
  for (int64_t i = 0; i < blocks; ++i) {
    const std::string block = absl::StrCat("down_blocks.", i);
    channels.push_back(shapes.At(block + ".resnets.0.conv1.weight", 0));
    layers.push_back(shapes.Blocks(block + ".resnets."));
    const bool attends = shapes.Begins(block + ".attentions.");
    down_types.push_back(attends ? "CrossAttnDownBlock2D" : "DownBlock2D");
    const std::string up = absl::StrCat("up_blocks.", i);
    up_types.push_back(shapes.Begins(up + ".attentions.") ? "CrossAttnUpBlock2D"
                                                          : "UpBlock2D");
    const std::string attention =
        block + ".attentions.0.transformer_blocks.0.attn2.to_k.weight";
    if (shapes.At(attention, 1) > 0) widths.push_back(shapes.At(attention, 1));
    if (shapes.Dimensions(block + ".attentions.0.proj_in.weight") > 0) {
      config["use_linear_projection"] =
          shapes.Dimensions(block + ".attentions.0.proj_in.weight") == 2;
    }
  }
  if (channels.empty()) return config;
  if (!shapes.Begins("mid_block.")) {
    config["mid_block_type"] = nullptr;
  } else if (!shapes.Begins("mid_block.attentions.")) {
    config["mid_block_type"] = "UNetMidBlock2D";
  }
  if (config["block_out_channels"] != json(channels)) {
    if (config["attention_head_dim"].is_array()) {
      std::vector<int64_t> heads;
      for (const int64_t count : channels) heads.push_back(Heads(count));
      config["attention_head_dim"] = heads;
    }
    config["norm_num_groups"] = Groups(channels);
  }
  config["block_out_channels"] = channels;
  config["layers_per_block"] = OneOrAll(layers);
  config["down_block_types"] = down_types;
  config["up_block_types"] = up_types;
  SetDepths(shapes, blocks, config);
  if (!widths.empty()) config["cross_attention_dim"] = OneOrAll(widths);
  Set(config, "projection_class_embeddings_input_dim",
      shapes.At("add_embedding.linear_1.weight", 1));
  if (shapes.Begins("class_embedding.linear_1.")) {
    config["class_embed_type"] = "projection";
    Set(config, "projection_class_embeddings_input_dim",
        shapes.At("class_embedding.linear_1.weight", 1));
  }
  Set(config, "time_cond_proj_dim",
      shapes.At("time_embedding.cond_proj.weight", 1));
  Set(config, "num_class_embeds", shapes.At("class_embedding.weight", 0));
  return config;
}

json Autoencoder(json config, const Shapes& shapes) {
  Set(config, "latent_channels", shapes.At("decoder.conv_in.weight", 1));
  std::vector<int64_t> channels;
  const int64_t blocks = shapes.Blocks("encoder.down_blocks.");
  for (int64_t i = 0; i < blocks; ++i) {
    channels.push_back(shapes.At(
        absl::StrCat("encoder.down_blocks.", i, ".resnets.0.conv1.weight"), 0));
  }
  if (channels.empty()) return config;
  if (config["block_out_channels"] != json(channels)) {
    config["norm_num_groups"] = Groups(channels);
  }
  config["block_out_channels"] = channels;
  config["down_block_types"] =
      std::vector<std::string>(channels.size(), "DownEncoderBlock2D");
  config["up_block_types"] =
      std::vector<std::string>(channels.size(), "UpDecoderBlock2D");
  Set(config, "layers_per_block",
      shapes.Blocks("encoder.down_blocks.0.resnets."));
  config["use_quant_conv"] = shapes.Begins("quant_conv.");
  config["use_post_quant_conv"] = shapes.Begins("post_quant_conv.");
  return config;
}

json ClipText(json config, const Shapes& shapes) {
  const std::string root =
      shapes.Begins("text_model.") ? "text_model." : std::string();
  const std::string layer = root + "encoder.layers.";
  const int64_t width =
      shapes.At(root + "embeddings.token_embedding.weight", 1);
  if (config["hidden_size"] != json(width)) {
    config["num_attention_heads"] = Heads(width);
    Set(config, "projection_dim", width);
  }
  Set(config, "hidden_size", width);
  Set(config, "vocab_size",
      shapes.At(root + "embeddings.token_embedding.weight", 0));
  Set(config, "max_position_embeddings",
      shapes.At(root + "embeddings.position_embedding.weight", 0));
  Set(config, "intermediate_size", shapes.At(layer + "0.mlp.fc1.weight", 0));
  Set(config, "num_hidden_layers", shapes.Blocks(layer));
  Set(config, "projection_dim", shapes.At("text_projection.weight", 0));
  return config;
}

json T5(json config, const Shapes& shapes) {
  const std::string block = "encoder.block.0.layer.";
  Set(config, "vocab_size", shapes.At("shared.weight", 0));
  Set(config, "d_model", shapes.At("shared.weight", 1));
  Set(config, "num_layers", shapes.Blocks("encoder.block."));
  Set(config, "d_ff", shapes.At(block + "1.DenseReluDense.wi_0.weight", 0));
  const std::string bias =
      block + "0.SelfAttention.relative_attention_bias.weight";
  const int64_t heads = shapes.At(bias, 1);
  if (heads > 0) {
    Set(config, "num_heads", heads);
    Set(config, "d_kv",
        shapes.At(block + "0.SelfAttention.q.weight", 0) / heads);
    Set(config, "relative_attention_num_buckets", shapes.At(bias, 0));
  }
  return config;
}

json Sd3(json config, const Shapes& shapes) {
  const int64_t width = shapes.At("pos_embed.proj.weight", 0);
  const int64_t patch = shapes.At("pos_embed.proj.weight", 2);
  Set(config, "in_channels", shapes.At("pos_embed.proj.weight", 1));
  Set(config, "patch_size", patch);
  if (patch > 0 && patch < 1024) {
    Set(config, "out_channels",
        shapes.At("proj_out.weight", 0) / (patch * patch));
  }
  const int64_t blocks = shapes.Blocks("transformer_blocks.");
  Set(config, "num_layers", blocks);
  const int64_t seen = shapes.At("transformer_blocks.0.attn.norm_q.weight", 0);
  const int64_t heads = seen > 0 ? width / seen : Heads(width);
  Set(config, "num_attention_heads", heads);
  if (heads > 0) Set(config, "attention_head_dim", width / heads);
  Set(config, "caption_projection_dim",
      shapes.At("context_embedder.weight", 0));
  Set(config, "joint_attention_dim", shapes.At("context_embedder.weight", 1));
  Set(config, "pooled_projection_dim",
      shapes.At("time_text_embed.text_embedder.linear_1.weight", 1));
  const int64_t most = std::llround(
      std::sqrt(static_cast<double>(shapes.At("pos_embed.pos_embed", 1))));
  Set(config, "pos_embed_max_size", most);
  // Not more than it has places for.
  const json said = config.value("sample_size", json());
  if (most > 0 && patch > 0 && patch < 1024 && said.is_number_integer() &&
      said.get<int64_t>() > most * patch) {
    config["sample_size"] = most * patch;
  }
  if (seen > 0) config["qk_norm"] = "rms_norm";
  std::vector<int64_t> dual;
  for (int64_t i = 0; i < blocks; ++i) {
    if (shapes.Begins(absl::StrCat("transformer_blocks.", i, ".attn2."))) {
      dual.push_back(i);
    }
  }
  if (!dual.empty()) config["dual_attention_layers"] = dual;
  return config;
}

json Flux(json config, const Shapes& shapes) {
  const int64_t width = shapes.At("x_embedder.weight", 0);
  const int64_t in_channels = shapes.At("x_embedder.weight", 1);
  const int64_t head = shapes.At("transformer_blocks.0.attn.norm_q.weight", 0);
  Set(config, "in_channels", in_channels);
  if (shapes.At("proj_out.weight", 0) != in_channels) {
    Set(config, "out_channels", shapes.At("proj_out.weight", 0));
  }
  if (head > 0 && config["attention_head_dim"] != json(head)) {
    config["attention_head_dim"] = head;
    // In the published proportion, even numbers each.
    const int64_t time = head / 16 * 2;
    config["axes_dims_rope"] = {time, (head - time) / 2, (head - time) / 2};
  }
  if (head > 0) Set(config, "num_attention_heads", width / head);
  Set(config, "num_layers", shapes.Blocks("transformer_blocks."));
  Set(config, "num_single_layers", shapes.Blocks("single_transformer_blocks."));
  Set(config, "joint_attention_dim", shapes.At("context_embedder.weight", 1));
  Set(config, "pooled_projection_dim",
      shapes.At("time_text_embed.text_embedder.linear_1.weight", 1));
  config["guidance_embeds"] =
      shapes.Begins("time_text_embed.guidance_embedder.");
  return config;
}

}  // namespace

nlohmann::json DeriveConfig(const std::string& class_name,
                            nlohmann::json published, const Entries& entries) {
  const Shapes shapes(entries);
  if (class_name == "UNet2DConditionModel") return UNet(published, shapes);
  if (class_name == "AutoencoderKL") return Autoencoder(published, shapes);
  if (class_name == "SD3Transformer2DModel") return Sd3(published, shapes);
  if (class_name == "FluxTransformer2DModel") return Flux(published, shapes);
  if (class_name == "T5EncoderModel") return T5(published, shapes);
  if (absl::StartsWith(class_name, "CLIPTextModel")) {
    return ClipText(published, shapes);
  }
  return published;
}

}  // namespace genzo
