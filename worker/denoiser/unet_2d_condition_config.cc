#include <algorithm>

#include "absl/strings/str_cat.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

using Strings = std::vector<std::string>;

// Keys of the reference class whose features other families use.
constexpr const char* kUnsupportedKeys[] = {
    "class_embeddings_concat", "cross_attention_norm", "dual_cross_attention",
    "encoder_hid_dim",         "encoder_hid_dim_type", "resnet_skip_time_act",
    "time_embedding_act_fn",   "timestep_post_act",    "num_attention_heads"};

// Block types name whether a block has attention.
std::vector<bool> ReadBlockTypes(JsonConfig& json, const std::string& key,
                                 const Strings& defaults,
                                 const std::string& plain,
                                 const std::string& with_attention) {
  std::vector<bool> result;
  for (const std::string& type : json.Strings(key, defaults)) {
    if (type != plain && type != with_attention) {
      json.Fail(absl::StatusCode::kUnimplemented, key,
                absl::StrCat("names a block other than ", plain, " and ",
                             with_attention));
    }
    result.push_back(type == with_attention);
  }
  return result;
}

void ReadMidBlockType(JsonConfig& json, UNet2DConditionConfig& config) {
  // The reference tells an explicit null, no block, from a missing key.
  const auto& object = json.object();
  const auto found = object.find("mid_block_type");
  config.mid_exists = found == object.end() || !found->is_null();
  const std::string type =
      json.String("mid_block_type", "UNetMidBlock2DCrossAttn");
  config.mid_has_attention = type == "UNetMidBlock2DCrossAttn";
  if (!config.mid_has_attention && type != "UNetMidBlock2D") {
    json.Fail(absl::StatusCode::kUnimplemented, "mid_block_type",
              "is not one of UNetMidBlock2DCrossAttn, UNetMidBlock2D, null");
  }
}

// What one entry of transformer_layers_per_block says of a block: a number for
// all of its transformers, or a list with one for each. Blocks without
// attention may say anything.
std::vector<int64_t> TransformersOf(JsonConfig& json, const std::string& key,
                                    const nlohmann::json& entry,
                                    size_t transformers) {
  const auto is_count = [](const nlohmann::json& value) {
    return value.is_number_integer() && value.get<int64_t>() >= 1 &&
           value.get<int64_t>() <= JsonConfig::kMaxLayers;
  };
  if (transformers == 0) return {};
  if (is_count(entry)) {
    return std::vector<int64_t>(transformers, entry.get<int64_t>());
  }
  if (entry.is_array() && entry.size() >= transformers &&
      std::all_of(entry.begin(), entry.end(), is_count)) {
    return {entry.begin(),
            entry.begin() + static_cast<std::ptrdiff_t>(transformers)};
  }
  json.Fail(
      absl::StatusCode::kInvalidArgument, key,
      absl::StrCat("has an entry that is neither a number from 1 to ",
                   JsonConfig::kMaxLayers, " nor a list of ", transformers));
  return std::vector<int64_t>(transformers, 1);
}

// Entry `block` of what may be one number for all.
nlohmann::json EntryOf(JsonConfig& json, const std::string& key, size_t block,
                       size_t blocks) {
  const auto found = json.object().find(key);
  if (found == json.object().end() || found->is_null()) return 1;
  if (!found->is_array()) return *found;
  if (found->size() == blocks) return (*found)[block];
  json.Fail(absl::StatusCode::kInvalidArgument, key,
            absl::StrCat("does not have ", blocks, " entries, one a block"));
  return 1;
}

void ReadTransformerLayers(JsonConfig& json, UNet2DConditionConfig& config) {
  constexpr char kDown[] = "transformer_layers_per_block";
  constexpr char kUp[] = "reverse_transformer_layers_per_block";
  const size_t blocks = config.block_out_channels.size();
  const bool has_up = json.Has(kUp);
  for (size_t i = 0; i < blocks; ++i) {
    const size_t level = blocks - 1 - i;
    config.down_transformer_layers.push_back(TransformersOf(
        json, kDown, EntryOf(json, kDown, i, blocks),
        config.down_has_attention[i] ? config.layers_per_block[i] : 0));
    config.up_transformer_layers.push_back(TransformersOf(
        json, has_up ? kUp : kDown,
        has_up ? EntryOf(json, kUp, i, blocks)
               : EntryOf(json, kDown, level, blocks),
        config.up_has_attention[i] ? config.layers_per_block[level] + 1 : 0));
  }
  if (!config.mid_exists || !config.mid_has_attention) return;
  config.mid_transformer_layers =
      TransformersOf(json, kDown, EntryOf(json, kDown, blocks - 1, blocks),
                     /*transformers=*/1)[0];
}

void ReadClasses(JsonConfig& json, UNetEmbeddingsConfig& config) {
  const std::string type = json.String("class_embed_type", "");
  config.class_count = json.Int("num_class_embeds", 0);
  if (type == "timestep") {
    config.classes = ClassEmbedding::kTimestep;
  } else if (type == "projection") {
    config.classes = ClassEmbedding::kProjection;
  } else if (!type.empty()) {
    json.Fail(absl::StatusCode::kUnimplemented, "class_embed_type",
              "is not one of null, timestep, projection");
  } else if (config.class_count > 0) {
    config.classes = ClassEmbedding::kTable;
  }
}

void ReadAddition(JsonConfig& json, UNetEmbeddingsConfig& config) {
  const std::string type = json.String("addition_embed_type", "");
  if (type.empty()) return;
  if (type != "text_time" || config.classes == ClassEmbedding::kProjection) {
    json.Fail(absl::StatusCode::kUnimplemented, "addition_embed_type",
              "is not one of null, text_time, or stands beside class_embed_type"
              " projection");
  }
  config.added_time_width = json.Int("addition_time_embed_dim", 0);
  if (config.added_time_width == 0 || config.added_time_width % 2 != 0) {
    json.Fail(absl::StatusCode::kInvalidArgument, "addition_time_embed_dim",
              "is not an even number over 0, as text_time needs");
  }
}

void ReadTime(JsonConfig& json, UNet2DConditionConfig& config) {
  const int64_t width = config.block_out_channels.front();
  UNetEmbeddingsConfig& embeddings = config.embeddings;
  json.RequireString("time_embedding_type", "positional");
  embeddings.time_proj = {
      .dim = width,
      .flip_sin_to_cos = json.Bool("flip_sin_to_cos", true),
      .freq_shift = json.Number("freq_shift", 0, /*min=*/0, /*max=*/1)};
  embeddings.width = json.Int("time_embedding_dim", 4 * width, 1);
  embeddings.guidance_width = json.Int("time_cond_proj_dim", 0);
  ReadClasses(json, embeddings);
  ReadAddition(json, embeddings);
  const bool projects = embeddings.added_time_width > 0 ||
                        embeddings.classes == ClassEmbedding::kProjection;
  constexpr char kProjection[] = "projection_class_embeddings_input_dim";
  embeddings.projection_width = json.Int(kProjection, 0);
  if (projects && embeddings.projection_width == 0) {
    json.Fail(absl::StatusCode::kInvalidArgument, kProjection,
              "is not over 0, as text_time and projection need");
  }
  const std::string shift = json.String("resnet_time_scale_shift", "default");
  if (shift != "default" && shift != "scale_shift") {
    json.Fail(absl::StatusCode::kUnimplemented, "resnet_time_scale_shift",
              "is not one of default, scale_shift");
  }
  config.resnet.scale_shift = shift == "scale_shift";
  config.resnet.temb_channels = embeddings.width;
  if (width % 2 != 0 || embeddings.guidance_width % 2 != 0) {
    json.Fail(absl::StatusCode::kUnimplemented, "block_out_channels",
              "begins with an odd number, or time_cond_proj_dim is odd");
  }
}

void CheckDivisible(JsonConfig& json, const UNet2DConditionConfig& config) {
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const int64_t channels = config.block_out_channels[i];
    if (channels % config.resnet.norm_num_groups != 0) {
      json.Fail(absl::StatusCode::kInvalidArgument, "block_out_channels",
                absl::StrCat("is not divisible by norm_num_groups ",
                             config.resnet.norm_num_groups));
    }
    if (channels % config.heads[i] != 0) {
      json.Fail(absl::StatusCode::kInvalidArgument, "attention_head_dim",
                "(a number of heads) does not divide block_out_channels");
    }
  }
}

}  // namespace

absl::StatusOr<UNet2DConditionConfig> ReadUNet2DConditionConfig(
    const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  UNet2DConditionConfig config;
  for (const char* key : kUnsupportedKeys) json->RequireUnset(key);
  const Activation activation =
      ReadDiffusersActivation(*json, "act_fn", "silu");
  config.resnet.activation = activation;
  config.embeddings.activation = activation;
  json->RequireString("attention_type", "default");
  config.in_channels = json->Int("in_channels", 4, 1);
  config.out_channels = json->Int("out_channels", 4, 1);
  config.sample_size = json->BothSides("sample_size", config.sample_size);
  config.block_out_channels =
      json->Ints("block_out_channels", {320, 640, 1280, 1280});
  const size_t blocks = config.block_out_channels.size();
  config.down_has_attention =
      ReadBlockTypes(*json, "down_block_types",
                     {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                      "CrossAttnDownBlock2D", "DownBlock2D"},
                     "DownBlock2D", "CrossAttnDownBlock2D");
  config.up_has_attention =
      ReadBlockTypes(*json, "up_block_types",
                     {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
                      "CrossAttnUpBlock2D"},
                     "UpBlock2D", "CrossAttnUpBlock2D");
  if (config.down_has_attention.size() != blocks ||
      config.up_has_attention.size() != blocks) {
    json->Fail(absl::StatusCode::kInvalidArgument, "block_out_channels",
               "differs in length from down_block_types or up_block_types");
    return json->status();
  }
  ReadMidBlockType(*json, config);
  config.layers_per_block =
      json->IntPerBlock("layers_per_block", blocks, 2, JsonConfig::kMaxLayers);
  ReadTransformerLayers(*json, config);
  config.cross_attention_dim =
      json->IntPerBlock("cross_attention_dim", blocks, 1280);
  // Upstream's name for a number of heads; kept for the published files.
  config.heads = json->IntPerBlock("attention_head_dim", blocks, 8);
  config.only_cross_attention =
      json->BoolPerBlock("only_cross_attention", blocks, false);
  config.use_linear_projection = json->Bool("use_linear_projection", false);
  config.upcast_attention = json->Bool("upcast_attention", false);
  config.center_input_sample = json->Bool("center_input_sample", false);
  config.downsample_padding = json->Int("downsample_padding", 1);
  config.mid_block_scale_factor =
      json->Number("mid_block_scale_factor", 1, /*min=*/1e-6, /*max=*/1e6);
  config.conv_in_kernel = json->Int("conv_in_kernel", 3, 1);
  config.conv_out_kernel = json->Int("conv_out_kernel", 3, 1);
  config.resnet.norm_num_groups = json->Int("norm_num_groups", 32, 1);
  config.resnet.eps = json->Number("norm_eps", 1e-5, /*min=*/0, /*max=*/1);
  ReadTime(*json, config);
  CheckDivisible(*json, config);
  if (!json->status().ok()) return json->status();
  return config;
}

}  // namespace genzo
