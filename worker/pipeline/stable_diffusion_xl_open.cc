#include <algorithm>

#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/size_numbers.h"
#include "worker/pipeline/stable_diffusion_xl.h"
#include "worker/sampler/scheduler_config.h"
#include "worker/weights/json_config.h"

// How a folder becomes a pipeline: what is read, and whether it fits.

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion-xl";
constexpr char kZeroesEmptyKey[] = "force_zeros_for_empty_prompt";

absl::StatusOr<bool> ZeroesEmptyNegative(const TextFile& file,
                                         bool default_value) {
  if (!file.Exists()) return default_value;
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  const bool zeroes = json->Bool(kZeroesEmptyKey, default_value);
  if (!json->status().ok()) return json->status();
  return zeroes;
}

// A refiner has no first encoder and is of a class that starts from a picture.
// Any other model that is not a refiner `of_base` but lacks one misses it.
bool ReadsFirstEncoder(const ModelIndex& index, bool of_base) {
  if (of_base || index.Has("text_encoder")) return index.Has("text_encoder");
  return index.family.empty()
             ? index.pipeline_class != "StableDiffusionXLImg2ImgPipeline"
             : index.family != "sdxl-refiner";
}

// Whether a file that ReadScheduler() took is of a network trained as EDM.
bool IsEdm(const nlohmann::json& scheduler) {
  const auto config =
      ParseSchedulerConfig(scheduler, scheduler.at("_class_name"));
  return config.ok() && config->sigma_data.has_value();
}

}  // namespace

struct StableDiffusionXL::Parts {
  Placement placement;
  std::shared_ptr<const ClipTower> text;
  std::shared_ptr<const ClipTower> text_2;
  Component<UNet2DConditionConfig> unet;
  std::shared_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  PipelineTraits traits;
  bool zeroes_empty_negative = false;
};

StableDiffusionXL::StableDiffusionXL(Parts parts)
    : placement_(parts.placement),
      text_(std::move(parts.text)),
      text_2_(std::move(parts.text_2)),
      embeds_guidance_(parts.unet.config.embeddings.guidance_width > 0),
      picture_order_(PictureLayersOf(parts.unet.config).order),
      zeroes_empty_negative_(parts.zeroes_empty_negative),
      sight_(parts.unet.config.in_channels == parts.unet.config.out_channels
                 ? MaskSight::kNothing
                 : MaskSight::kLatent),
      denoiser_(RecordOn(parts.placement,
                         std::make_unique<UNet2DConditionModel>(
                             parts.unet.config, parts.unet.weights))),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      traits_(std::move(parts.traits)),
      unet_bytes_(parts.unet.weights.taken_bytes()) {
  if (is_refiner()) return;
  traits_.request_fields.emplace_back("loras");
  targets_ = std::make_shared<AdapterTargets>();
  targets_->Add("text_encoder", text_->tensors, ClipTower::Unadapted());
  targets_->Add("text_encoder_2", text_2_->tensors, ClipTower::Unadapted());
  AddUNetTargets(parts.unet.weights, *targets_);
}

absl::StatusOr<StableDiffusionXL::Parts> StableDiffusionXL::ReadParts(
    const StableDiffusionXL* base, const ModelIndex& index,
    const Placement& placement) {
  std::shared_ptr<const ClipTower> text;
  if (ReadsFirstEncoder(index, /*of_base=*/base != nullptr)) {
    auto loaded =
        ClipTower::Load(index, "tokenizer", "text_encoder", placement);
    if (!loaded.ok()) return loaded.status();
    text = *std::move(loaded);
  }
  std::shared_ptr<const ClipTower> text_2;
  if (base != nullptr && !index.Has("text_encoder_2")) {
    text_2 = base->text_2_;
  } else {
    auto loaded =
        ClipTower::Load(index, "tokenizer_2", "text_encoder_2", placement);
    if (!loaded.ok()) return loaded.status();
    text_2 = *std::move(loaded);
  }
  auto unet = OpenComponent(index, "unet", "UNet2DConditionModel",
                            ReadUNet2DConditionConfig, placement);
  if (!unet.ok()) return unet.status();
  std::shared_ptr<const AutoencoderKLCodec> codec;
  if (base != nullptr) {
    codec = base->codec_;  // its latents are the base's
  } else {
    auto loaded = AutoencoderKLCodec::Load(index, placement);
    if (!loaded.ok()) return loaded.status();
    codec = *std::move(loaded);
  }
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  const auto zeroes =
      ZeroesEmptyNegative(index.files.At("model_index.json"), text != nullptr);
  if (!zeroes.ok()) return zeroes.status();
  int64_t layers = text_2->config.num_hidden_layers;
  if (text != nullptr) {
    layers = std::min(layers, text->config.num_hidden_layers);
  }
  return Parts{placement,
               std::move(text),
               std::move(text_2),
               *std::move(unet),
               std::move(codec),
               *std::move(scheduler),
               {.family = kFamily, .tasks = {}, .max_clip_skip = layers - 1},
               *zeroes};
}

absl::Status StableDiffusionXL::CheckFit(const std::string& folder,
                                         Parts& parts) {
  const UNet2DConditionConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  const int64_t beside = unet.in_channels - channels;
  if ((beside != 0 &&
       beside != SightChannels(MaskSight::kLatent, *parts.codec)) ||
      unet.out_channels != channels) {
    return absl::UnimplementedError(absl::StrCat(
        folder, ": unet in_channels ", unet.in_channels, " and out_channels ",
        unet.out_channels, " are not the autoencoder's latent_channels ",
        channels, ", or with those of a mask in"));
  }
  const ClipTextConfig& second = parts.text_2->config;
  const bool is_refiner = parts.text == nullptr;
  const int64_t width =
      second.hidden_size + (is_refiner ? 0 : parts.text->config.hidden_size);
  for (int64_t dim : unet.cross_attention_dim) {
    if (dim == width) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": unet cross_attention_dim ", dim,
        " is not the text encoders' hidden_size ", width, " together"));
  }
  const UNetEmbeddingsConfig& added = unet.embeddings;
  const int64_t projected =
      second.projection_dim > 0 ? second.projection_dim : second.hidden_size;
  const int64_t need =
      projected +
      (is_refiner ? kRefinerNumbers : kSizeNumbers) * added.added_time_width;
  if (added.added_time_width == 0 || added.projection_width != need ||
      added.classes != ClassEmbedding::kNone) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": unet projection_class_embeddings_input_dim ",
        added.projection_width, " is not ", need,
        ", that of addition_embed_type text_time after these text encoders"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StableDiffusionXL>>
StableDiffusionXL::LoadBeside(const StableDiffusionXL* base,
                              const ModelIndex& index,
                              const Placement& placement) {
  auto parts = ReadParts(base, index, placement);
  if (!parts.ok()) return parts.status();
  absl::Status status = CheckFit(index.folder, *parts);
  if (!status.ok()) return status;
  PipelineTraits& traits = parts->traits;
  const UNet2DConditionConfig& unet_config = parts->unet.config;
  traits.defaults.guidance_scale = 5;  // the reference's
  if (unet_config.embeddings.guidance_width > 0) {
    traits.guided_rows = 1;
    traits.defaults.steps = 4;
  }
  status = ReadTraits(index, parts->scheduler, *parts->codec,
                      unet_config.sample_size, traits);
  if (!status.ok()) return status;
  const bool sees_mask = unet_config.in_channels > unet_config.out_channels;
  traits.tasks = {v1::TASK_INPAINTING};
  if (!sees_mask) {
    traits.tasks.insert(traits.tasks.begin(), v1::TASK_IMAGE_TO_IMAGE);
  }
  auto& fields = traits.request_fields;
  fields.insert(fields.end(),
                {"size_conditioning", "prompt_syntax",
                 "guidance.perturbed_attention_scale",
                 "guidance.perturbed_layers", "guidance.text_gate_step",
                 "variation", "keep_latents", "start_latents"});
  if (traits.guided_rows == 2) {
    fields.insert(fields.end(), {"guidance.start", "guidance.end"});
  }
  traits.text_widths = {parts->text == nullptr
                            ? LearnedEmbedding::kAnyWidth
                            : parts->text->config.hidden_size,
                        parts->text_2->config.hidden_size};
  if (parts->text == nullptr) {
    fields.insert(fields.end(), {"refiner.aesthetic_score",
                                 "refiner.negative_aesthetic_score"});
  } else {
    if (!sees_mask) {
      traits.tasks.insert(traits.tasks.begin(), v1::TASK_TEXT_TO_IMAGE);
      fields.emplace_back("hires");
      if (traits.guided_rows == 2) TakeInversion(parts->scheduler, traits);
    }
    fields.insert(fields.end(), {"prompt_2", "negative_prompt_2"});
    TakeControls(ControlFitOf(unet_config), /*guesses=*/true, traits);
    TakePictures(PictureLayersOf(unet_config), traits);
  }
  const Weights unet = parts->unet.weights;
  std::unique_ptr<StableDiffusionXL> pipeline(
      new StableDiffusionXL(*std::move(parts)));
  status = unet.Finish();
  if (!status.ok()) return status;
  return pipeline;
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusionXL::Load(
    const ModelIndex& index, const Placement& placement) {
  auto pipeline = LoadBeside(/*base=*/nullptr, index, placement);
  if (!pipeline.ok()) return pipeline.status();
  StableDiffusionXL& base = **pipeline;
  if (base.is_refiner() || index.refiner.empty()) return pipeline;
  auto refiner_index = OpenModelIndex(index.refiner);
  if (!refiner_index.ok()) return refiner_index.status();
  refiner_index->heads_only = index.heads_only;
  auto refiner = LoadBeside(&base, *refiner_index, placement);
  if (!refiner.ok()) return refiner.status();
  if (!(*refiner)->is_refiner()) {
    return absl::InvalidArgumentError(absl::StrCat(
        refiner_index->folder, ": has a first text encoder, so is no refiner"));
  }
  if (IsEdm(base.scheduler_) || IsEdm((*refiner)->scheduler_)) {
    return absl::InvalidArgumentError(absl::StrCat(
        refiner_index->folder,
        ": a refiner takes over at a trained timestep, and a scheduler of EDM "
        "has none"));
  }
  base.refiner_ = *std::move(refiner);
  base.traits_.request_fields.insert(
      base.traits_.request_fields.end(),
      {"refiner.switch_at", "refiner.aesthetic_score",
       "refiner.negative_aesthetic_score"});
  return pipeline;
}

absl::StatusOr<ModelBytes> StableDiffusionXL::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  std::vector<const char*> parts = {"unet", "text_encoder_2"};
  if (ReadsFirstEncoder(index, /*of_base=*/false)) {
    parts.push_back("text_encoder");
  }
  auto bytes = ComponentBytes(index, parts, placement);
  if (!bytes.ok()) return bytes.status();
  const auto codec = CodecBytes(index, placement);
  if (!codec.ok()) return codec.status();
  if (index.refiner.empty()) return *bytes + *codec;
  const auto refiner = OpenModelIndex(index.refiner);
  if (!refiner.ok()) return refiner.status();
  parts = {"unet"};
  if (refiner->Has("text_encoder_2")) parts.push_back("text_encoder_2");
  const auto more = ComponentBytes(*refiner, parts, placement);
  if (!more.ok()) return more.status();
  // A refiner is loaded without a pool: what it has is its own.
  return *bytes + *codec + more->all;
}

}  // namespace genzo
