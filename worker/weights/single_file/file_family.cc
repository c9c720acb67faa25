#include "worker/weights/single_file/file_family.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/single_file/builtin_documents.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr char kVelocity[] = "v_pred";
constexpr char kZeroSnr[] = "ztsnr";

}  // namespace

bool IsMark(const std::string& name) {
  return name == kVelocity || name == kZeroSnr;
}

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

int64_t IntegerAt(const json& config, const char* key, int64_t otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_number_integer()
             ? found->get<int64_t>()
             : otherwise;
}

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
      source.entries().count(kVelocity) > 0) {
    scheduler["prediction_type"] = "v_prediction";
  } else if (prediction == "epsilon" ||
             absl::StartsWith(architecture, "stable-diffusion-v2-512")) {
    scheduler["prediction_type"] = "epsilon";
  }
  if (said("ss_zero_terminal_snr") == "True" ||
      source.entries().count(kZeroSnr) > 0) {
    scheduler["rescale_betas_zero_snr"] = true;
  }
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

}  // namespace genzo
