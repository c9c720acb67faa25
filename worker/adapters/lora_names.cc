#include "worker/adapters/lora_names.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace genzo {
namespace {

// Ends of tensors' names, the longer before those that they end with.
constexpr std::pair<const char*, const char*> kEnds[] = {
    {".lora_linear_layer.down.weight", "down"},
    {".lora_linear_layer.up.weight", "up"},
    {".lora_A.default.weight", "down"},
    {".lora_B.default.weight", "up"},
    {".lora_down.weight", "down"},
    {".lora_up.weight", "up"},
    {".lora.down.weight", "down"},
    {".lora.up.weight", "up"},
    {"_lora.down.weight", "down"},
    {"_lora.up.weight", "up"},
    {".lora_A.weight", "down"},
    {".lora_B.weight", "up"},
    {".down.weight", "down"},
    {".up.weight", "up"},
    {".lora_mid.weight", "mid"},
    {".lora_B.default.bias", "bias"},
    {".lora_B.bias", "bias"},
    {".lora.up.bias", "bias"},
    {".lora_up.bias", "bias"},
    {".alpha", "alpha"},
    {".dora_scale", "magnitude"},
    {".lora_magnitude_vector.default.weight", "magnitude"},
    {".lora_magnitude_vector.weight", "magnitude"},
    {".lora_magnitude_vector", "magnitude"},
    {".diff", "diff"},
    {".hada_w1_a", "hada_w1_a"},
    {".hada_w1_b", "hada_w1_b"},
    {".hada_w2_a", "hada_w2_a"},
    {".hada_w2_b", "hada_w2_b"},
    {".hada_t1", "hada_t1"},
    {".hada_t2", "hada_t2"},
    {".lokr_w1", "lokr_w1"},
    {".lokr_w1_a", "lokr_w1_a"},
    {".lokr_w1_b", "lokr_w1_b"},
    {".lokr_w2", "lokr_w2"},
    {".lokr_w2_a", "lokr_w2_a"},
    {".lokr_w2_b", "lokr_w2_b"},
    {".lokr_t2", "lokr_t2"},
    {".oft_blocks", "oft"},
    {".oft_diag", "oft"},
    {".oft_R.default.weight", "oft"},
    {".oft_R.weight", "oft"},
};

// What stands before a module's name. A name may begin with what looks like
// one ("transformer_blocks..."), so each is tried, and last none.
constexpr std::pair<const char*, const char*> kBegins[] = {
    {"lora_te1_", "text_encoder"},
    {"lora_te_", "text_encoder"},
    {"text_encoders_clip_l_transformer_", "text_encoder"},
    {"lora_te2_", "text_encoder_2"},
    {"text_encoder_2_", "text_encoder_2"},
    {"text_encoders_clip_g_transformer_", "text_encoder_2"},
    {"lora_te3_", "text_encoder_3"},
    {"text_encoder_3_", "text_encoder_3"},
    {"text_encoders_t5xxl_transformer_", "text_encoder_3"},
    {"text_encoder_", "text_encoder"},
    {"lora_unet_", "denoiser"},
    {"lora_transformer_", "denoiser"},
    {"lycoris_", "denoiser"},
    {"unet_", "denoiser"},
    {"base_model_model_", "denoiser"},
    {"model_diffusion_model_", "denoiser"},
    {"diffusion_model_", "denoiser"},
    {"transformer_", "denoiser"},
};

std::string Flat(const std::string& module) {
  std::string flat = absl::StrReplaceAll(
      module, {{".processor.qkv_lora1", "_img_attn_qkv"},
               {".processor.qkv_lora2", "_txt_attn_qkv"},
               {".processor.proj_lora1", "_img_attn_proj"},
               {".processor.proj_lora2", "_txt_attn_proj"},
               {".processor.qkv", "_qkv"},  // of a single block
               {".processor.proj", "_linear2"},
               {".processor.", "_"},
               // Text encoders' layers, as diffusers once called them.
               {".self_attn.to_q", "_self_attn_q_proj"},
               {".self_attn.to_k", "_self_attn_k_proj"},
               {".self_attn.to_v", "_self_attn_v_proj"},
               {".self_attn.to_out", "_self_attn_out_proj"},
               {".", "_"}});
  // Once diffusers called the first of these two layers by the list's name.
  if (absl::EndsWith(flat, "_to_out")) flat += "_0";
  return flat;
}

// Whether any module's name has `part` in it.
bool AnyHas(const LoraNames& names, const std::string& part) {
  return std::any_of(names.modules.begin(), names.modules.end(),
                     [&](const auto& module) {
                       return absl::StrContains(module.first, part);
                     });
}

std::string FamilyOfMetadata(
    const std::map<std::string, std::string>& metadata) {
  constexpr std::pair<const char*, const char*> kKnown[] = {
      {"sdxl", "sdxl"},
      {"stable-diffusion-xl", "sdxl"},
      {"flux", "flux"},
      {"sd3", "sd3"},
      {"stable-diffusion-3", "sd3"},
      {"stable-diffusion-v2", "sd2"},
      {"stable-diffusion-v1", "sd1"},
      {"sd_v2", "sd2"},
      {"sd_v1", "sd1"}};
  for (const char* key : {"modelspec.architecture", "ss_base_model_version"}) {
    const auto found = metadata.find(key);
    if (found == metadata.end()) continue;
    for (const auto& [says, family] : kKnown) {
      if (absl::StartsWithIgnoreCase(found->second, says)) return family;
    }
  }
  return "";
}

// A U-Net's: by the width of the texts that it reads, which published models
// tell apart, and else by how it is built.
std::string FamilyOfUNet(const TensorSource& file, const LoraNames& names) {
  for (const auto& [module, parts] : names.modules) {
    const auto down = parts.find("down");
    const bool reads_texts = absl::EndsWith(module, "attn2_to_k") ||
                             absl::EndsWith(module, "attn2_to_v");
    if (down == parts.end() || !reads_texts) continue;
    const auto& shape = file.entries().at(down->second).shape;
    if (shape.size() < 2) continue;
    if (shape[1] == 768) return "sd1";
    if (shape[1] == 1024) return "sd2";
    if (shape[1] == 2048) return "sdxl";
  }
  if (AnyHas(names, "lora_te2_") || AnyHas(names, "text_encoder_2_") ||
      AnyHas(names, "input_blocks_4_1_") ||
      AnyHas(names, "transformer_blocks_1_")) {
    return "sdxl";
  }
  for (const auto& [module, parts] : names.modules) {
    const auto down = parts.find("down");
    if (down == parts.end() || !absl::EndsWith(module, "_proj_in")) continue;
    return file.entries().at(down->second).shape.size() == 4 ? "sd1" : "sd2";
  }
  return AnyHas(names, "attn2_to_") ? "sd1" : "unknown";
}

}  // namespace

LoraNames ReadLoraNames(const std::map<std::string, TensorEntry>& entries) {
  LoraNames names;
  for (const auto& [name, entry] : entries) {
    const auto* const end = std::find_if(
        std::begin(kEnds), std::end(kEnds), [&name = name](const auto& row) {
          return absl::EndsWith(name, row.first);
        });
    if (end == std::end(kEnds)) {
      names.strangers.push_back(name);
      continue;
    }
    const absl::string_view module = absl::StripSuffix(name, end->first);
    names.modules[Flat(std::string(module))][end->second] = name;
  }
  return names;
}

absl::Status CheckKinds(const LoraNames& names) {
  for (const auto& [module, parts] : names.modules) {
    const auto oft = parts.find("oft");
    if (oft == parts.end()) continue;
    return absl::UnimplementedError(
        absl::StrCat("tensor \"", oft->second,
                     "\" is of OFT, which turns weights where others add to "
                     "them: it is not read"));
  }
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> LoraPlaces(
    const std::string& module) {
  std::vector<std::pair<std::string, std::string>> places;
  for (const auto& [begin, component] : kBegins) {
    if (!absl::StartsWith(module, begin)) continue;
    places.emplace_back(component,
                        std::string(absl::StripPrefix(module, begin)));
  }
  places.emplace_back("denoiser", module);
  return places;
}

int64_t RankOf(const TensorSource& file, const LoraNames& names) {
  int64_t rank = 0;
  for (const auto& [module, parts] : names.modules) {
    for (const char* part : {"down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b"}) {
      const auto found = parts.find(part);
      if (found == parts.end()) continue;
      const auto& shape = file.entries().at(found->second).shape;
      if (!shape.empty()) rank = std::max(rank, shape[0]);
    }
  }
  return rank;
}

std::string LoraFamily(const TensorSource& file, const LoraNames& names) {
  const std::string told = FamilyOfMetadata(file.metadata());
  if (!told.empty()) return told;
  if (AnyHas(names, "double_blocks_") || AnyHas(names, "single_blocks_") ||
      AnyHas(names, "single_transformer_blocks_")) {
    return "flux";
  }
  if (AnyHas(names, "joint_blocks_") || AnyHas(names, "_add_q_proj") ||
      AnyHas(names, "norm1_context") ||
      (AnyHas(names, "transformer_blocks_") && !AnyHas(names, "attentions_") &&
       !AnyHas(names, "_blocks_1_0_") && !AnyHas(names, "attn2_"))) {
    return "sd3";
  }
  return FamilyOfUNet(file, names);
}

}  // namespace genzo
