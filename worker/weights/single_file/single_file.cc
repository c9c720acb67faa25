#include "worker/weights/single_file/single_file.h"

#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/scaled_tensors.h"
#include "worker/weights/single_file/edm_file.h"
#include "worker/weights/single_file/file_family.h"
#include "worker/weights/single_file/file_parts.h"

namespace genzo {
namespace {

using nlohmann::json;

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
  for (const EncoderPlace& place : EncoderPlaces()) {
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

std::vector<std::string> SurplusOf(const SingleFile& file,
                                   const TensorSource& source) {
  std::set<std::string> read;
  for (const SingleFilePart& part : file.parts) {
    read.insert(part.names_in_file.begin(), part.names_in_file.end());
  }
  std::vector<std::string> surplus;
  for (const auto& entry : source.entries()) {
    const std::string& name = entry.first;
    if (read.count(name) > 0 || IsMark(name) || IsEdmTensor(name)) continue;
    surplus.push_back(name);
  }
  return surplus;
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
  for (const EncoderPlace& place : EncoderPlaces()) {
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
