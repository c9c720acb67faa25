#include "absl/strings/str_cat.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

void RequireBlocks(JsonConfig& json, const std::string& key,
                   const std::string& type, size_t count) {
  const std::vector<std::string> types = json.Strings(key, {type});
  for (const std::string& named : types) {
    if (named != type) {
      json.Fail(absl::StatusCode::kUnimplemented, key,
                absl::StrCat("names a block other than ", type));
    }
  }
  if (types.size() != count) {
    json.Fail(absl::StatusCode::kInvalidArgument, key,
              "differs in length from block_out_channels");
  }
}

// The reference looks at them only where there are both.
void ReadStatistics(JsonConfig& json, AutoencoderKLConfig& config) {
  config.latents_mean = json.Floats("latents_mean");
  config.latents_std = json.Floats("latents_std");
  if (config.latents_mean.empty() || config.latents_std.empty()) {
    config.latents_mean.clear();
    config.latents_std.clear();
    return;
  }
  const auto channels = static_cast<size_t>(config.latent_channels);
  const auto check = [&](const char* key, const std::vector<float>& values) {
    if (values.size() == channels) return;
    json.Fail(absl::StatusCode::kInvalidArgument, key,
              absl::StrCat("has ", values.size(),
                           " entries, not one for each of latent_channels ",
                           channels));
  };
  check("latents_mean", config.latents_mean);
  check("latents_std", config.latents_std);
  for (const float deviation : config.latents_std) {
    if (deviation > 0) continue;
    json.Fail(absl::StatusCode::kInvalidArgument, "latents_std",
              "is not over 0 everywhere");
  }
}

}  // namespace

void ReadAutoencoderSizes(JsonConfig& json, AutoencoderKLConfig& config) {
  config.activation = ReadDiffusersActivation(json, "act_fn", "silu");
  config.in_channels = json.Int("in_channels", 3, 1);
  config.out_channels = json.Int("out_channels", 3, 1);
  config.block_out_channels = json.Ints("block_out_channels", {64});
  config.layers_per_block =
      json.Int("layers_per_block", 1, 1, JsonConfig::kMaxLayers);
  config.norm_num_groups = json.Int("norm_num_groups", 32, 1);
  config.mid_block_add_attention = json.Bool("mid_block_add_attention", true);
  config.scaling_factor =
      json.Number("scaling_factor", 0.18215, /*min=*/1e-6, /*max=*/1e6);
  config.force_upcast = json.Bool("force_upcast", false);
  const size_t levels = config.block_out_channels.size();
  RequireBlocks(json, "down_block_types", "DownEncoderBlock2D", levels);
  RequireBlocks(json, "up_block_types", "UpDecoderBlock2D", levels);
  for (int64_t channels : config.block_out_channels) {
    if (channels % config.norm_num_groups == 0) continue;
    json.Fail(absl::StatusCode::kInvalidArgument, "block_out_channels",
              absl::StrCat("is not divisible by norm_num_groups ",
                           config.norm_num_groups));
  }
  if (config.in_channels != 3 || config.out_channels != 3) {
    json.Fail(absl::StatusCode::kUnimplemented, "out_channels",
              "and in_channels are not 3, for RGB");
  }
}

absl::StatusOr<AutoencoderKLConfig> ReadAutoencoderKLConfig(
    const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  AutoencoderKLConfig config;
  ReadAutoencoderSizes(*json, config);
  config.latent_channels = json->Int("latent_channels", 4, 1);
  config.use_quant_conv = json->Bool("use_quant_conv", true);
  config.use_post_quant_conv = json->Bool("use_post_quant_conv", true);
  config.shift_factor =
      json->Number("shift_factor", 0, /*min=*/-1e6, /*max=*/1e6);
  ReadStatistics(*json, config);
  if (!json->status().ok()) return json->status();
  return config;
}

}  // namespace genzo
