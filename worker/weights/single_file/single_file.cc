#include "worker/weights/single_file/single_file.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/scaled_tensors.h"
#include "worker/weights/single_file/builtin_documents.h"
#include "worker/weights/single_file/derived_config.h"
#include "worker/weights/single_file/edm_file.h"
#include "worker/weights/single_file/latent_settings.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

using nlohmann::json;

// SD2 takes what the last layer but one says, which some files leave out.
constexpr int64_t kSd2Layers = 23;

// Where a class's tensors may begin in a file, and a name that each has.
struct ClassSigns {
  const char* class_name;
  std::vector<const char*> prefixes;
  std::vector<const char*> signs;
};

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

// Where a family's text encoders lie.
struct EncoderPlace {
  const char* family;
  const char* component;
  const char* prefix;
};
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

// CLIPTextModelWithProjection is one of CLIPTextModel.
const ClassSigns* SignsOf(const std::string& class_name) {
  for (const ClassSigns& signs : AllSigns()) {
    if (absl::StartsWith(class_name, signs.class_name)) return &signs;
  }
  return nullptr;
}

// The prefix of a class's tensors, if there are any.
std::optional<std::string> FindPrefix(const ClassSigns& signs,
                                      const Entries& entries) {
  for (const char* prefix : signs.prefixes) {
    for (const char* sign : signs.signs) {
      if (entries.count(absl::StrCat(prefix, sign)) > 0) return prefix;
    }
  }
  return std::nullopt;
}

NameRules T5Names(const Entries& entries) {
  NameRules rules = {{"decoder.*", {}}, {"lm_head.*", {}}};
  // The same twice in some files.
  rules.push_back({"encoder.embed_tokens.weight",
                   entries.count("shared.weight") > 0
                       ? std::vector<std::string>()
                       : std::vector<std::string>{"shared.weight"}});
  return rules;
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
  auto tensors = MappedTensors::Create(source, std::move(recipes));
  if (!tensors.ok()) return tensors.status();
  json config = DeriveConfig(class_name, published, (*tensors)->entries());
  if (class_name == "AutoencoderKL") {
    const absl::Status read = ReadLatentSettings(*source, config);
    if (!read.ok()) return read;
  }
  return SingleFilePart{component, class_name, prefix, *std::move(tensors),
                        std::move(config)};
}

// The family of a denoiser in original names. Empty if it is none of ours.
std::string FamilyOf(const std::string& class_name, const Entries& denoiser) {
  if (class_name == "SD3Transformer2DModel") return "sd3";
  if (class_name == "FluxTransformer2DModel") return "flux";
  // How noisy the picture is that it enlarges, one embedding a level.
  if (denoiser.count("label_emb.weight") > 0) return "sd-x4-upscaler";
  // What SDXL adds to the time, in a network without attention at first.
  if (denoiser.count("label_emb.0.0.weight") > 0 &&
      !AnyBegins(denoiser, "input_blocks.1.1.")) {
    // Three resolutions, or four in the refiner.
    int64_t levels = 1;
    const int64_t inputs = CountBlocks(denoiser, "input_blocks.");
    for (int64_t i = 0; i < inputs; ++i) {
      levels +=
          denoiser.count(absl::StrCat("input_blocks.", i, ".0.op.weight")) > 0;
    }
    return levels == 4 ? "sdxl-refiner" : "sdxl";
  }
  for (const auto& [name, entry] : denoiser) {
    if (absl::EndsWith(name, ".proj_in.weight")) {
      return entry.shape.size() == 2 ? "sd2" : "sd1";
    }
  }
  return "sd1";
}

// A whole number, or `otherwise`: folders may say anything.
int64_t IntegerAt(const json& config, const char* key, int64_t otherwise = 0) {
  const auto found = config.find(key);
  return found != config.end() && found->is_number_integer()
             ? found->get<int64_t>()
             : otherwise;
}

// The family's document with what `published` says. Of a network's keys those
// that it lacks, or has as null, are the document's; a scheduler's are of its
// class and go together.
json DocumentOf(const std::string& family, const ComponentConfigs& published) {
  json document = FamilyDocument(family);
  for (auto& [component, known] : document["components"].items()) {
    const auto found = published.find(component);
    if (found == published.end()) continue;
    if (IsScheduler(component)) {
      known["config"] = found->second;
      continue;
    }
    for (const auto& [key, value] : found->second.items()) {
      if (!value.is_null()) known["config"][key] = value;
    }
  }
  return document;
}

// Relatives have more channels coming in.
std::string PipelineClass(const std::string& family, const json& document,
                          const json& denoiser) {
  const int64_t in_channels = IntegerAt(denoiser, "in_channels");
  if (family == "sd1" || family == "sd2") {
    switch (in_channels) {
      case 9:
        return "StableDiffusionInpaintPipeline";
      case 8:
        return "StableDiffusionInstructPix2PixPipeline";
      case 5:
        return kDepthPipeline;
      default:
        break;
    }
  }
  if (family == "sdxl" && in_channels == 9) {
    return "StableDiffusionXLInpaintPipeline";
  }
  if (family == "flux" &&
      IntegerAt(denoiser, "out_channels", in_channels) * 6 == in_channels) {
    return "FluxFillPipeline";
  }
  return document.at("pipeline");
}

// What trainers write beside the weights, and the empty tensors that mark
// models of velocities. Without, it is the family's; of SD2 those that are
// given a picture were trained on noise.
void ReadPrediction(const TensorSource& source, const SingleFile& file,
                    json& scheduler) {
  if (file.family == "sd3" || file.family == "flux") return;
  if (file.family == "sd2" &&
      (file.pipeline_class == "StableDiffusionInpaintPipeline" ||
       file.pipeline_class == kDepthPipeline)) {
    scheduler["prediction_type"] = "epsilon";
  }
  const auto said = [&](const char* key) -> std::string {
    const auto found = source.metadata().find(key);
    return found == source.metadata().end() ? "" : found->second;
  };
  const std::string prediction = said("modelspec.prediction_type");
  const std::string architecture = said("modelspec.architecture");
  if (absl::StartsWith(prediction, "v") ||
      said("ss_v_parameterization") == "True" ||
      absl::EndsWith(architecture, "-v") ||
      source.entries().count("v_pred") > 0) {
    scheduler["prediction_type"] = "v_prediction";
  } else if (prediction == "epsilon" ||
             absl::StartsWith(architecture, "stable-diffusion-v2-512")) {
    scheduler["prediction_type"] = "epsilon";
  }
  if (said("ss_zero_terminal_snr") == "True" ||
      source.entries().count("ztsnr") > 0) {
    scheduler["rescale_betas_zero_snr"] = true;
  }
}

absl::Status Unknown(const TensorSource& source) {
  const Entries& entries = source.entries();
  if (entries.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path(), ": holds no tensors"));
  }
  for (const ClassSigns& signs : AllSigns()) {
    const auto prefix = FindPrefix(signs, entries);
    if (!prefix.has_value()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        source.path(), ": holds a single component (", signs.class_name,
        "), no model; name it under parts: of one"));
  }
  std::vector<std::string> some;
  for (const auto& entry : entries) {
    if (some.size() == 3) break;
    some.push_back(entry.first.substr(0, 80));
  }
  return absl::UnimplementedError(absl::StrCat(
      source.path(),
      ": holds no model of a known family (SD1, SD2, SDXL, SD3, FLUX.1); its ",
      entries.size(), " tensors begin with ", absl::StrJoin(some, ", ")));
}

}  // namespace

bool IsScheduler(const std::string& component) {
  return absl::EndsWith(component, "scheduler");
}

absl::StatusOr<SingleFile> ReadSingleFile(
    std::shared_ptr<const TensorSource> source,
    const ComponentConfigs& published) {
  const Entries& entries = source->entries();
  SingleFile file;
  for (const char* class_name :
       {"UNet2DConditionModel", "SD3Transformer2DModel",
        "FluxTransformer2DModel"}) {
    const ClassSigns& signs = *SignsOf(class_name);
    const auto prefix = FindPrefix(signs, entries);
    // Networks alone in diffusers' names say too little of the rest.
    if (!prefix.has_value() ||
        entries.count(absl::StrCat(*prefix, signs.signs[0])) == 0) {
      continue;
    }
    file.family = FamilyOf(class_name, WithPrefix(entries, *prefix));
    file.document = DocumentOf(file.family, published);
    const char* component =
        file.document["components"].contains("unet") ? "unet" : "transformer";
    auto part = MakePart(source, component, class_name, *prefix,
                         file.document["components"][component]["config"]);
    if (!part.ok()) return part.status();
    file.parts.push_back(*std::move(part));
    break;
  }
  if (file.parts.empty()) return Unknown(*source);
  const auto edm = ReadEdmFile(*source);
  if (!edm.ok()) return edm.status();
  file.pipeline_class =
      PipelineClass(file.family, file.document, file.parts[0].config);
  if (file.pipeline_class == kDepthPipeline) {
    file.document["components"]["depth_estimator"]["class"] = kDepthClass;
  }
  file.scheduler = file.document["components"]["scheduler"]["config"];
  // Of those whose networks embed the scale: LCM's walks of few steps.
  if (IntegerAt(file.parts[0].config, "time_cond_proj_dim") > 0) {
    file.scheduler["_class_name"] = "LCMScheduler";
  }
  if (file.family == "flux" &&
      !file.parts[0].config["guidance_embeds"].get<bool>()) {
    // schnell
    file.scheduler["shift"] = 1.0;
    file.scheduler["use_dynamic_shifting"] = false;
  }
  ReadPrediction(*source, file, file.scheduler);
  if (!edm->scheduler.is_null()) file.scheduler = edm->scheduler;
  const auto add = [&](const std::string& component,
                       const std::string& prefix) -> absl::Status {
    const json& known = file.document["components"][component];
    auto part =
        MakePart(source, component, known["class"], prefix, known["config"]);
    if (part.ok()) file.parts.push_back(*std::move(part));
    return part.status();
  };
  for (const char* prefix : {"first_stage_model.", "vae."}) {
    if (entries.count(absl::StrCat(prefix, "decoder.conv_in.weight")) == 0) {
      continue;
    }
    const absl::Status added = add("vae", prefix);
    if (!added.ok()) return added;
    file.parts.back().config.update(edm->vae);
    break;
  }
  for (const EncoderPlace& place : kEncoders) {
    if (file.family != place.family || !AnyBegins(entries, place.prefix)) {
      continue;
    }
    const absl::Status added = add(place.component, place.prefix);
    if (!added.ok()) return added;
  }
  // SDXL's width of a size's embedding is what the pooled text leaves.
  json& config = file.parts[0].config;
  if (config.value("addition_embed_type", json()) == "text_time") {
    for (const SingleFilePart& part : file.parts) {
      if (part.component != "text_encoder_2") continue;
      const int64_t numbers = file.family == "sdxl-refiner" ? 5 : 6;
      const int64_t left =
          IntegerAt(config, "projection_class_embeddings_input_dim") -
          IntegerAt(part.config, "projection_dim");
      if (left > 0 && left % numbers == 0) {
        config["addition_time_embed_dim"] = left / numbers;
      }
    }
  }
  std::set<std::string> held;
  for (const SingleFilePart& part : file.parts) held.insert(part.component);
  for (const auto& [component, known] : file.document["components"].items()) {
    const bool is_tokenizer = absl::StartsWith(component, "tokenizer");
    if (held.count(component) > 0 || is_tokenizer || IsScheduler(component)) {
      continue;
    }
    file.missing.push_back(component);
  }
  return file;
}

absl::StatusOr<SingleFilePart> ReadSingleFilePart(
    std::shared_ptr<const TensorSource> source, const std::string& component,
    const std::string& class_name, const json& published) {
  const ClassSigns* const signs = SignsOf(class_name);
  if (signs == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(source->path(), ": a component of class ", class_name,
                     " must be a folder, not a file"));
  }
  std::optional<std::string> prefix = FindPrefix(*signs, source->entries());
  // The place that the component has in its family's files comes first.
  for (const EncoderPlace& place : kEncoders) {
    if (component == place.component &&
        AnyBegins(source->entries(), place.prefix)) {
      prefix = place.prefix;
    }
  }
  if (!prefix.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source->path(), ": holds no ", class_name, " for ", component,
        "; it has no tensor \"", signs->signs[0], "\""));
  }
  return MakePart(source, component, class_name, *prefix, published);
}

std::string FamilyOfFolder(const std::string& pipeline_class,
                           const std::map<std::string, TensorEntry>& denoiser) {
  if (absl::StartsWith(pipeline_class, "StableDiffusion3")) return "sd3";
  if (absl::StartsWith(pipeline_class, "Flux")) return "flux";
  if (pipeline_class == "StableDiffusionXLImg2ImgPipeline") {
    return "sdxl-refiner";
  }
  if (absl::StartsWith(pipeline_class, "StableDiffusionXL")) return "sdxl";
  if (absl::StartsWith(pipeline_class, "LatentConsistencyModel")) return "sd1";
  if (pipeline_class == "StableDiffusionUpscalePipeline") {
    return "sd-x4-upscaler";
  }
  if (!absl::StartsWith(pipeline_class, "StableDiffusion")) return "";
  // SD2 projects by layers, SD1 by convolutions.
  for (const auto& [name, entry] : denoiser) {
    if (absl::EndsWith(name, "attentions.0.proj_in.weight")) {
      return entry.shape.size() == 2 ? "sd2" : "sd1";
    }
  }
  return "sd1";
}

absl::StatusOr<std::shared_ptr<const TensorSource>> ToOriginalNames(
    const std::shared_ptr<const TensorSource>& source,
    const std::string& family, const std::string& component,
    const std::string& class_name) {
  const Entries& entries = source->entries();
  const auto unknown = [&] {
    return absl::UnimplementedError(
        absl::StrCat(source->path(), ": component ", component,
                     " has no place in a single file"));
  };
  if (SignsOf(class_name) == nullptr) return unknown();
  const absl::Status sound = CheckDepths(entries, source->path());
  if (!sound.ok()) return sound;
  std::string prefix;
  bool open_clip = false;
  if (component == "unet" || component == "transformer") {
    prefix = "model.diffusion_model.";
  } else if (component == "vae") {
    prefix = "first_stage_model.";
  } else {
    for (const EncoderPlace& place : kEncoders) {
      if (family == place.family && component == place.component) {
        prefix = place.prefix;
      }
    }
    open_clip = absl::EndsWith(prefix, ".model.");
  }
  if (prefix.empty()) return unknown();
  if (!open_clip && absl::StartsWith(class_name, "CLIPTextModel")) {
    return MappedTensors::Create(source, ToOriginal({}, entries, prefix));
  }
  if (!open_clip) {
    return MappedTensors::Create(
        source, ToOriginal(RulesOf(class_name, entries), entries, prefix));
  }
  const int64_t layers = CountBlocks(entries, "text_model.encoder.layers.");
  const bool projection = class_name == "CLIPTextModelWithProjection";
  TensorRecipes recipes =
      ToOriginal(OpenClipNames(layers, projection), entries, prefix);
  recipes.erase(prefix + "text_model.embeddings.position_ids");
  if (!projection && layers == kSd2Layers) {
    // Readers take what the last of 24 layers but one says.
    const std::string last =
        absl::StrCat(prefix, "transformer.resblocks.", layers - 1, ".");
    const std::string unused =
        absl::StrCat(prefix, "transformer.resblocks.", layers, ".");
    TensorRecipes copies;
    for (const auto& [name, recipe] : recipes) {
      if (!absl::StartsWith(name, last)) continue;
      copies[unused + name.substr(last.size())] = recipe;
    }
    recipes.merge(copies);
  }
  return MappedTensors::Create(source, std::move(recipes));
}

absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensorFile(
    const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  for (const char* pickled : {".ckpt", ".pt", ".pth", ".bin"}) {
    if (extension != pickled) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is a pickle, which may run programs; genzo-tool convert ",
        "makes a safetensors file of it"));
  }
  return WithTrueValues(SafetensorsFile::Open(path));
}

}  // namespace genzo
