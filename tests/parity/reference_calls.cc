#include "tests/parity/reference_calls.h"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/guidance_rules.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

// Those that are mapped, here or by who reads arguments() directly.
const std::set<std::string>& KnownArguments() {
  static const auto* const known =
      new std::set<std::string>{"prompt",
                                "prompt_2",
                                "prompt_3",
                                "negative_prompt",
                                "negative_prompt_2",
                                "negative_prompt_3",
                                "height",
                                "width",
                                "guidance_scale",
                                "num_inference_steps",
                                "original_inference_steps",
                                "timesteps",
                                "sigmas",
                                "eta",
                                "guidance_rescale",
                                "clip_skip",
                                "num_images_per_prompt",
                                "class_labels",
                                "strength",
                                "padding_mask_crop",
                                "original_size",
                                "target_size",
                                "crops_coords_top_left",
                                "negative_original_size",
                                "negative_target_size",
                                "negative_crops_coords_top_left",
                                "denoising_end",
                                "denoising_start",
                                "aesthetic_score",
                                "negative_aesthetic_score",
                                "image_guidance_scale",
                                "noise_level",
                                "max_embeddings_multiples",
                                "max_sequence_length",
                                "true_cfg_scale",
                                "controlnet_conditioning_scale",
                                "control_guidance_start",
                                "control_guidance_end",
                                "guess_mode",
                                "adapter_conditioning_scale",
                                "adapter_conditioning_factor",
                                "ip_adapter_scale",
                                "cross_attention_kwargs",
                                "joint_attention_kwargs",
                                "pag_scale",
                                "pag_adaptive_scale",
                                "pag_applied_layers",
                                "skip_guidance_layers",
                                "skip_layer_guidance_scale",
                                "skip_layer_guidance_start",
                                "skip_layer_guidance_stop",
                                "output_type",
                                "return_dict"};
  return *known;
}

constexpr const char* kAttention[] = {"cross_attention_kwargs",
                                      "joint_attention_kwargs"};
constexpr double kPagScale = 3;
constexpr double kSkipLayerScale = 2.8;
constexpr uint32_t kFluxSequenceLength = 512;
constexpr uint32_t kSd3SequenceLength = 256;

json WithoutNulls(const json& call) {
  json given = json::object();
  for (const auto& [name, value] : call.items()) {
    if (!value.is_null()) given[name] = value;
  }
  return given;
}

// LCMScheduler.set_timesteps: `steps` of the original schedule's first share.
std::vector<int> DistilledTimesteps(const json& config, int original,
                                    double strength, int steps) {
  const int stride = config.value("num_train_timesteps", 1000) / original;
  const int kept = static_cast<int>(original * strength);
  std::vector<int> timesteps;
  for (int i = 0; i < steps; ++i) {
    const int left_out =
        static_cast<int>(std::floor(i * (static_cast<double>(kept) / steps)));
    timesteps.push_back((kept - left_out) * stride - 1);
  }
  return timesteps;
}

// [height, width] or [top, left] of a call.
void SetSizes(const json& original, const json& crop, const json& target,
              v1::SizeConditioning::Sizes& sizes) {
  if (!original.is_null()) {
    sizes.set_original_height(original[0]);
    sizes.set_original_width(original[1]);
  }
  if (!crop.is_null()) {
    sizes.set_crop_top(crop[0]);
    sizes.set_crop_left(crop[1]);
  }
  if (!target.is_null()) {
    sizes.set_target_height(target[0]);
    sizes.set_target_width(target[1]);
  }
}

}  // namespace

ReferenceCall::ReferenceCall(const json& manifest)
    : manifest_(manifest),
      name_(manifest.value("pipeline", "")),
      pipeline_(FindReferencePipeline(name_)),
      call_(WithoutNulls(manifest.value("call", json::object()))) {}

bool ReferenceCall::Is(const char* part) const {
  return absl::StrContains(name_, part);
}

std::string ReferenceCall::Unsupported() const {
  if (pipeline_ == nullptr) return absl::StrCat("pipeline ", name_);
  for (const auto& item : call_.items()) {
    if (KnownArguments().count(item.key()) == 0) {
      return absl::StrCat("argument ", item.key());
    }
  }
  for (const char* attention : kAttention) {
    for (const auto& item : call_.value(attention, json::object()).items()) {
      if (item.key() != "scale") {
        return absl::StrCat("argument ", attention, ".", item.key());
      }
    }
  }
  if (Number("pag_adaptive_scale", 0) != 0) {
    return "argument pag_adaptive_scale";
  }
  if (Has("skip_guidance_layers")) {
    if (Number("skip_layer_guidance_start", kSkipLayerStart) !=
        kSkipLayerStart) {
      return "argument skip_layer_guidance_start";
    }
    if (Number("skip_layer_guidance_stop", kSkipLayerEnd) != kSkipLayerEnd) {
      return "argument skip_layer_guidance_stop";
    }
  }
  if (Has("denoising_start") && (Has("denoising_end") || Is("Inpaint"))) {
    return "argument denoising_start with denoising_end or a mask";
  }
  return "";
}

double ReferenceCall::guidance_scale() const {
  return Number("guidance_scale", pipeline_->guidance_scale);
}

int ReferenceCall::steps() const {
  if (Has("timesteps")) return static_cast<int>(call_["timesteps"].size());
  if (Has("sigmas")) {
    // Some schedulers are told where the last step ends, too.
    const json& sigmas = call_["sigmas"];
    const bool ends = !sigmas.empty() && sigmas.back().get<double>() == 0;
    return static_cast<int>(sigmas.size()) - (ends ? 1 : 0);
  }
  return call_.value("num_inference_steps", pipeline_->steps);
}

double ReferenceCall::strength() const {
  return Number("strength", pipeline_->strength);
}

double ReferenceCall::lora_scale() const {
  for (const char* attention : kAttention) {
    if (Has(attention)) return call_[attention].value("scale", 1.0);
  }
  return 1;
}

std::optional<int> ReferenceCall::padding() const {
  if (!Has("padding_mask_crop")) return std::nullopt;
  return call_["padding_mask_crop"].get<int>();
}

size_t ReferenceCall::prompts() const {
  if (!Has("prompt") || !call_["prompt"].is_array()) return 1;
  return call_["prompt"].size();
}

std::vector<std::string> ReferenceCall::Texts(const std::string& name,
                                              size_t count) const {
  if (!Has(name)) return std::vector<std::string>(count, "");
  if (call_[name].is_string()) return {count, call_[name].get<std::string>()};
  return call_[name].get<std::vector<std::string>>();
}

void ReferenceCall::FillLevels(bool has_picture,
                               v1::GenerateRequest& request) const {
  request.set_steps(steps());
  for (const json& timestep : call_.value("timesteps", json::array())) {
    request.add_timesteps(
        static_cast<uint32_t>(std::lround(timestep.get<double>())));
  }
  for (const json& sigma : call_.value("sigmas", json::array())) {
    if (request.sigmas_size() < steps()) request.add_sigmas(sigma);
  }
  if (has_picture) request.mutable_image_to_image()->set_strength(strength());
  // Distilled models walk all of their steps, however short the way.
  const bool shortened = has_picture && Is("LatentConsistencyModelImg2Img");
  if (Has("timesteps") || (!shortened && !Has("original_inference_steps"))) {
    return;
  }
  const json& config = manifest_["scheduler"]["config"];
  const int original = call_.value(
      "original_inference_steps", config.value("original_inference_steps", 50));
  for (const int timestep : DistilledTimesteps(
           config, original, shortened ? strength() : 1, steps())) {
    request.add_timesteps(timestep);
  }
  if (shortened) request.mutable_image_to_image()->set_strength(1);
}

void ReferenceCall::Fill(bool has_picture, v1::GenerateRequest& request) const {
  request.set_width(manifest_["width"].get<int>());
  request.set_height(manifest_["height"].get<int>());
  FillLevels(has_picture, request);
  request.set_guidance_scale(guidance_scale());
  request.set_guidance_rescale(Number("guidance_rescale", 0));
  request.set_clip_skip(call_.value("clip_skip", 0));
  if (Is("Flux") || Is("StableDiffusion3")) {
    request.set_max_sequence_length(
        call_.value("max_sequence_length",
                    Is("Flux") ? kFluxSequenceLength : kSd3SequenceLength));
  }
  // Without a text to stay away from the reference has no second row.
  if (Has("true_cfg_scale") && Has("negative_prompt")) {
    request.set_true_guidance_scale(call_["true_cfg_scale"]);
  }
  if (!Has("skip_guidance_layers") || guidance_scale() <= 1) return;
  v1::GuidanceOptions& guidance = *request.mutable_guidance();
  guidance.set_skip_layer_scale(
      Number("skip_layer_guidance_scale", kSkipLayerScale));
  for (const json& layer : call_["skip_guidance_layers"]) {
    guidance.add_skip_layers(layer);
  }
}

void ReferenceCall::FillSizes(bool is_refiner,
                              v1::GenerateRequest& request) const {
  const auto given = [&](const std::string& name) {
    return call_.value(name, json());
  };
  const json original = given("original_size");
  const json crop = given("crops_coords_top_left");
  const json target = given("target_size");
  v1::SizeConditioning& sizes = *request.mutable_size_conditioning();
  SetSizes(original, crop, target, *sizes.mutable_prompt());
  const json negative_original = given("negative_original_size");
  const json negative_crop = given("negative_crops_coords_top_left");
  const json negative_target = given("negative_target_size");
  if (Is("Img2Img") || Is("Inpaint")) {
    // Each has a default of its own, and where there is no score the crop is
    // the prompt's (_get_add_time_ids of these pipelines).
    const auto or_else = [](const json& own, const json& other) {
      return own.is_null() ? other : own;
    };
    SetSizes(or_else(negative_original, original),
             is_refiner ? negative_crop : crop,
             or_else(negative_target, target), *sizes.mutable_negative());
  } else if (!negative_original.is_null() && !negative_target.is_null()) {
    // One without the other is not looked at.
    SetSizes(negative_original, negative_crop, negative_target,
             *sizes.mutable_negative());
  }
}

std::vector<std::string> ReferenceCall::PerturbedParts() const {
  // An argument of the constructor, not of the call.
  const json constructor = manifest_.value("constructor", json::object());
  for (const json* from :
       {static_cast<const json*>(&call_), static_cast<const json*>(&manifest_),
        static_cast<const json*>(&constructor)}) {
    if (!from->is_object() || !from->contains("pag_applied_layers")) continue;
    const json& layers = (*from)["pag_applied_layers"];
    if (layers.is_string()) return {layers.get<std::string>()};
    if (layers.is_array()) return layers.get<std::vector<std::string>>();
  }
  return {Is("StableDiffusion3") ? "blocks.1" : "mid"};
}

void ReferenceCall::FillPerturbed(const Denoiser& denoiser,
                                  v1::GenerateRequest& request) const {
  if (!Is("PAG")) return;
  v1::GuidanceOptions& guidance = *request.mutable_guidance();
  guidance.set_perturbed_attention_scale(Number("pag_scale", kPagScale));
  for (const std::string& layer : denoiser.SelfAttentions()) {
    for (const std::string& part : PerturbedParts()) {
      if (!std::regex_search(layer, std::regex(part))) continue;
      guidance.add_perturbed_layers(layer);
      break;
    }
  }
}

}  // namespace genzo::parity
