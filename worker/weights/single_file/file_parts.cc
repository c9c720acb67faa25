#include "worker/weights/single_file/file_parts.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/mapped_tensors.h"
#include "worker/weights/single_file/derived_config.h"
#include "worker/weights/single_file/latent_settings.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr EncoderPlace kEncoders[] = {
    {"sd1", "text_encoder", "cond_stage_model.transformer."},
    {"sd2", "text_encoder", "cond_stage_model.model."},
    {"sd-x4-upscaler", "text_encoder", "cond_stage_model.model."},
    {"sdxl", "text_encoder", "conditioner.embedders.0.transformer."},
    {"sdxl", "text_encoder_2", "conditioner.embedders.1.model."},
    {"sdxl-refiner", "text_encoder_2", "conditioner.embedders.0.model."},
    {"sd3", "text_encoder", "text_encoders.clip_l.transformer."},
    {"sd3", "text_encoder_2", "text_encoders.clip_g.transformer."},
    {"sd3", "text_encoder_3", "text_encoders.t5xxl.transformer."},
    {"flux", "text_encoder", "text_encoders.clip_l.transformer."},
    {"flux", "text_encoder_2", "text_encoders.t5xxl.transformer."},
};

NameRules T5Names(const Entries& entries) {
  NameRules rules = {{"decoder.*", {}}, {"lm_head.*", {}}};
  // The same twice in some files.
  rules.push_back({"encoder.embed_tokens.weight",
                   entries.count("shared.weight") > 0
                       ? std::vector<std::string>()
                       : std::vector<std::string>{"shared.weight"}});
  return rules;
}

}  // namespace

const std::vector<ClassSigns>& AllSigns() {
  static const auto* const all = new std::vector<ClassSigns>{
      {"UNet2DConditionModel",
       {"model.diffusion_model.", "diffusion_model.", ""},
       {"input_blocks.0.0.weight", "down_blocks.0.resnets.0.conv1.weight"}},
      {"SD3Transformer2DModel",
       {"model.diffusion_model.", "diffusion_model.", ""},
       {"joint_blocks.0.x_block.attn.qkv.weight", "pos_embed.pos_embed"}},
      {"FluxTransformer2DModel",
       {"model.diffusion_model.", "diffusion_model.", ""},
       {"double_blocks.0.img_attn.qkv.weight",
        "single_transformer_blocks.0.proj_mlp.weight"}},
      {"AutoencoderKL",
       {"first_stage_model.", "vae.", ""},
       {"decoder.conv_in.weight"}},
      {"CLIPTextModel",
       {"cond_stage_model.transformer.", "cond_stage_model.model.",
        "conditioner.embedders.0.transformer.",
        "conditioner.embedders.0.model.", "conditioner.embedders.1.model.",
        "text_encoders.clip_l.transformer.",
        "text_encoders.clip_g.transformer.", ""},
       {"text_model.embeddings.token_embedding.weight",
        "embeddings.token_embedding.weight", "token_embedding.weight"}},
      {"T5EncoderModel",
       {"text_encoders.t5xxl.transformer.", "t5xxl.transformer.", ""},
       {"encoder.block.0.layer.0.SelfAttention.q.weight"}}};
  return *all;
}

absl::Span<const EncoderPlace> EncoderPlaces() { return kEncoders; }

const ClassSigns* SignsOf(const std::string& class_name) {
  for (const ClassSigns& signs : AllSigns()) {
    if (absl::StartsWith(class_name, signs.class_name)) return &signs;
  }
  return nullptr;
}

std::optional<std::string> FindPrefix(const ClassSigns& signs,
                                      const Entries& entries) {
  for (const char* prefix : signs.prefixes) {
    for (const char* sign : signs.signs) {
      if (entries.count(absl::StrCat(prefix, sign)) > 0) return prefix;
    }
  }
  return std::nullopt;
}

NameRules RulesOf(const std::string& class_name, const Entries& entries) {
  if (class_name == "UNet2DConditionModel") return UNetNames(entries);
  if (class_name == "AutoencoderKL") return AutoencoderNames(entries);
  if (class_name == "SD3Transformer2DModel") return Sd3Names(entries);
  if (class_name == "FluxTransformer2DModel") return FluxNames(entries);
  if (class_name == "T5EncoderModel") return T5Names(entries);
  const int64_t layers = CountBlocks(entries, "transformer.resblocks.");
  if (layers == 0) return {{"logit_scale", {}}};
  const bool projection = class_name == "CLIPTextModelWithProjection";
  return OpenClipNames(projection ? layers : std::min(layers, kSd2Layers),
                       projection);
}

absl::StatusOr<SingleFilePart> MakePart(
    const std::shared_ptr<const TensorSource>& source,
    const std::string& component, const std::string& class_name,
    const std::string& prefix, const json& published) {
  const Entries own = WithPrefix(source->entries(), prefix);
  const absl::Status sound = CheckDepths(own, source->path());
  if (!sound.ok()) return sound;
  TensorRecipes recipes = ToDiffusers(RulesOf(class_name, own), own, prefix);
  const std::string projection = "text_projection.weight";
  if (class_name == "CLIPTextModelWithProjection" &&
      recipes.count(projection) == 0) {
    // As SD3's files leave it out.
    const auto positions =
        recipes.find("text_model.embeddings.position_embedding.weight");
    if (positions != recipes.end()) {
      const auto& shape =
          source->entries().at(positions->second.pieces[0].name).shape;
      constexpr int64_t kWidest = 16384;
      if (shape.size() == 2 && shape[1] <= kWidest) {
        recipes[projection] = {.pieces = {}, .identity = shape[1]};
      }
    }
  }
  std::set<std::string> names;
  for (const auto& recipe : recipes) {
    for (const auto& piece : recipe.second.pieces) names.insert(piece.name);
  }
  auto tensors = MappedTensors::Create(source, std::move(recipes));
  if (!tensors.ok()) return tensors.status();
  json config = DeriveConfig(class_name, published, (*tensors)->entries());
  if (class_name == "AutoencoderKL") {
    const absl::Status read = ReadLatentSettings(*source, config);
    if (!read.ok()) return read;
  }
  return SingleFilePart{
      component,        class_name,          prefix,
      std::move(names), *std::move(tensors), std::move(config)};
}

}  // namespace genzo
