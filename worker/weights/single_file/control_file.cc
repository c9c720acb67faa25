#include "worker/weights/single_file/control_file.h"

#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "worker/weights/json_config.h"
#include "worker/weights/single_file/builtin_documents.h"
#include "worker/weights/single_file/derived_config.h"
#include "worker/weights/single_file/original_names.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kControlNet[] = "ControlNetModel";
constexpr char kFluxControlNet[] = "FluxControlNetModel";
constexpr char kT2IAdapter[] = "T2IAdapter";
constexpr char kConfig[] = "config.json";

// What the original code has beside the U-Net's way down.
NameRules ControlNames(const Entries& entries) {
  NameRules rules = {
      {"zero_convs.#.0.*", {"controlnet_down_blocks.#.*"}},
      {"middle_block_out.0.*", {"controlnet_mid_block.*"}},
      {"input_hint_block.0.*", {"controlnet_cond_embedding.conv_in.*"}},
      {"input_hint_block.14.*", {"controlnet_cond_embedding.conv_out.*"}}};
  // Activations stand between them.
  constexpr int kBlocks = 6;
  for (int i = 0; i < kBlocks; ++i) {
    rules.push_back(
        {absl::StrCat("input_hint_block.", 2 * i + 2, ".*"),
         {absl::StrCat("controlnet_cond_embedding.blocks.", i, ".*")}});
  }
  const NameRules unet = UNetNames(entries);
  rules.insert(rules.end(), unet.begin(), unet.end());
  return rules;
}

int64_t SizeOf(const Entries& entries, const std::string& name,
               size_t dimension) {
  const auto found = entries.find(name);
  if (found == entries.end()) return 0;
  const auto& shape = found->second.shape;
  return dimension < shape.size() ? shape[dimension] : 0;
}

// The configuration of the published U-Net whose text is as wide.
json PublishedUNet(const Entries& entries) {
  int64_t width = 0;
  for (const char* block : {"down_blocks.0", "down_blocks.1"}) {
    const std::string name = absl::StrCat(
        block, ".attentions.0.transformer_blocks.0.attn2.to_k.weight");
    if (width == 0) width = SizeOf(entries, name, 1);
  }
  constexpr int64_t kWidthOfSdxl = 2048;
  constexpr int64_t kWidthOfSd2 = 1024;
  const char* family = entries.count("add_embedding.linear_1.weight") > 0 ||
                               width == kWidthOfSdxl
                           ? "sdxl"
                       : width == kWidthOfSd2 ? "sd2"
                                              : "sd1";
  return FamilyDocument(family)["components"]["unet"]["config"];
}

json UNetControlConfig(const Entries& entries) {
  json config =
      DeriveConfig("UNet2DConditionModel", PublishedUNet(entries), entries);
  for (const char* key : {"up_block_types", "out_channels",
                          "reverse_transformer_layers_per_block"}) {
    config.erase(key);
  }
  config["_class_name"] = kControlNet;
  config["conditioning_channels"] =
      SizeOf(entries, "controlnet_cond_embedding.conv_in.weight", 1);
  json channels = json::array(
      {SizeOf(entries, "controlnet_cond_embedding.conv_in.weight", 0)});
  for (int64_t i = 1;; i += 2) {
    const int64_t out = SizeOf(
        entries,
        absl::StrCat("controlnet_cond_embedding.blocks.", i, ".weight"), 0);
    if (out == 0) break;
    channels.push_back(out);
  }
  config["conditioning_embedding_out_channels"] = channels;
  return config;
}

// The config.json of a T2I-Adapter, as its tensors say.
json ConfigOfT2IAdapter(const Entries& entries) {
  constexpr int64_t kFactor = 8;
  const bool light = entries.count("adapter.body.0.out_conv.weight") > 0;
  const int64_t seen = SizeOf(
      entries,
      light ? "adapter.body.0.in_conv.weight" : "adapter.conv_in.weight", 1);
  const bool grey = seen == kFactor * kFactor || seen == 4 * kFactor * kFactor;
  const int64_t cells = grey ? seen : seen / 3;
  const bool xl = cells == 4 * kFactor * kFactor;
  json channels = json::array();
  for (int64_t block = 0;; ++block) {
    const int64_t width = SizeOf(
        entries,
        absl::StrCat("adapter.body.", block,
                     light ? ".out_conv.weight" : ".resnets.0.block2.weight"),
        0);
    if (width == 0) break;
    channels.push_back(width);
  }
  // The last repeats the one before, and is not told.
  if (light && !channels.empty()) channels.erase(channels.size() - 1);
  return {{"_class_name", kT2IAdapter},
          {"adapter_type", light ? "light_adapter"
                           : xl  ? "full_adapter_xl"
                                 : "full_adapter"},
          {"in_channels", grey ? 1 : 3},
          {"channels", channels},
          {"num_res_blocks", CountBlocks(entries, "adapter.body.0.resnets.")},
          {"downscale_factor", xl ? 2 * kFactor : kFactor}};
}

// With the published U-Net that such adapters are for, unless it names another.
json WithUNet(json config) {
  if (config.contains("unet")) return config;
  const bool xl = config.value("adapter_type", json()) == "full_adapter_xl";
  config["unet"] =
      FamilyDocument(xl ? "sdxl" : "sd1")["components"]["unet"]["config"];
  return config;
}

json FluxControlConfig(const Entries& entries) {
  json config = FamilyDocument("flux")["components"]["transformer"]["config"];
  config["_class_name"] = kFluxControlNet;
  config["num_layers"] = CountBlocks(entries, "transformer_blocks.");
  config["num_single_layers"] =
      CountBlocks(entries, "single_transformer_blocks.");
  config["guidance_embeds"] =
      AnyBegins(entries, "time_text_embed.guidance_embedder.");
  config["in_channels"] = SizeOf(entries, "x_embedder.weight", 1);
  const int64_t head =
      SizeOf(entries, "transformer_blocks.0.attn.norm_q.weight", 0);
  if (head > 0) {
    config["attention_head_dim"] = head;
    config["num_attention_heads"] =
        SizeOf(entries, "x_embedder.weight", 0) / head;
  }
  config["joint_attention_dim"] = SizeOf(entries, "context_embedder.weight", 1);
  config["pooled_projection_dim"] =
      SizeOf(entries, "time_text_embed.text_embedder.linear_1.weight", 1);
  if (entries.count("controlnet_mode_embedder.weight") > 0) {
    config["num_mode"] = SizeOf(entries, "controlnet_mode_embedder.weight", 0);
  }
  if (AnyBegins(entries, "input_hint_block.")) {
    config["conditioning_embedding_channels"] =
        SizeOf(entries, "input_hint_block.conv_out.weight", 0);
  }
  return config;
}

// The tensors in diffusers' names.
absl::StatusOr<std::shared_ptr<const TensorSource>> InDiffusersNames(
    std::shared_ptr<const TensorSource> source) {
  for (const char* prefix : {"control_model.", ""}) {
    const Entries own = WithPrefix(source->entries(), prefix);
    if (own.count("input_hint_block.0.weight") == 0) continue;
    return MappedTensors::Create(std::move(source),
                                 ToDiffusers(ControlNames(own), own, prefix));
  }
  return source;
}

absl::StatusOr<ControlFile> OpenSingle(const std::string& path) {
  auto source = OpenTensorFile(path);
  if (!source.ok()) return source.status();
  const absl::Status sound = CheckDepths((*source)->entries(), path);
  if (!sound.ok()) return sound;
  const auto tensors = InDiffusersNames(*std::move(source));
  if (!tensors.ok()) return tensors.status();
  const Entries& entries = (*tensors)->entries();
  const bool flux = entries.count("controlnet_x_embedder.weight") > 0;
  const bool t2i = entries.count("adapter.body.0.resnets.0.block1.weight") > 0;
  if (!flux && !t2i && entries.count("controlnet_mid_block.weight") == 0) {
    return absl::UnimplementedError(absl::StrCat(
        path, ": holds no control network of Stable Diffusion or FLUX.1"));
  }
  const fs::path beside = fs::path(path).replace_extension(".json");
  std::error_code ignored;
  json config = flux  ? FluxControlConfig(entries)
                : t2i ? ConfigOfT2IAdapter(entries)
                      : UNetControlConfig(entries);
  if (fs::exists(beside, ignored)) {
    const auto read = JsonConfig::ReadFile(beside.string());
    if (!read.ok()) return read.status();
    config = read->object();
  }
  if (t2i) config = WithUNet(std::move(config));
  return ControlFile{flux  ? kFluxControlNet
                     : t2i ? kT2IAdapter
                           : kControlNet,
                     ComponentFiles(path, {{kConfig, config.dump()}}, *tensors,
                                    /*folder=*/"")};
}

}  // namespace

absl::StatusOr<ControlFile> OpenControlFile(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return OpenSingle(path);
  auto config = JsonConfig::ReadFile((fs::path(path) / kConfig).string());
  if (!config.ok()) return config.status();
  const std::string class_name = config->ClassName(kControlNet);
  if (!config->status().ok()) return config->status();
  if (class_name == kT2IAdapter) {
    const auto tensors = ComponentFiles(path).OpenTensors();
    if (!tensors.ok()) return tensors.status();
    return ControlFile{
        class_name,
        ComponentFiles(path, {{kConfig, WithUNet(config->object()).dump()}},
                       *tensors, /*folder=*/"")};
  }
  if (class_name != kControlNet && class_name != kFluxControlNet) {
    return absl::UnimplementedError(
        absl::StrCat(path, ": class ", class_name, " is not one of ",
                     kControlNet, ", ", kFluxControlNet, ", ", kT2IAdapter));
  }
  return ControlFile{class_name, ComponentFiles(path)};
}

}  // namespace genzo
