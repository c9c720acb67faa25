#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/stable_diffusion.h"
#include "worker/weights/single_file/single_file.h"

// How a folder becomes a pipeline: what is read, and whether it fits.

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion";
constexpr char kImageGuidance[] = "image_guidance_scale";
constexpr char kDepthEstimator[] = "depth_estimator";
constexpr int64_t kDepthChannels = 1;

bool SeesDepth(const UNet2DConditionConfig& unet) {
  return unet.in_channels == unet.out_channels + kDepthChannels;
}

// Whether the model can tell how deep a picture is. Load() does without, since
// whoever has depths may hand them over; no request does.
absl::Status CheckDepthEstimator(const ModelIndex& index) {
  const auto unet =
      ReadUNet2DConditionConfig(index.FilesOf("unet").At("config.json"));
  if (!unet.ok()) return unet.status();
  if (!SeesDepth(*unet)) return absl::OkStatus();
  return index.Component(kDepthEstimator, kDepthClass).status();
}

MaskSight SightOf(const UNet2DConditionConfig& unet, const LatentCodec& codec) {
  const int64_t beside = unet.in_channels - codec.latent_channels();
  return beside == SightChannels(MaskSight::kLatent, codec)
             ? MaskSight::kLatent
             : MaskSight::kNothing;
}

bool EmbedsGuidance(const UNet2DConditionConfig& unet) {
  return unet.embeddings.guidance_width > 0;
}

// Of requests, that all of the family's models take.
constexpr const char* kFields[] = {"image_to_image.strength",
                                   "prompt_syntax",
                                   "guidance.start",
                                   "guidance.end",
                                   "guidance.perturbed_attention_scale",
                                   "guidance.perturbed_layers",
                                   "guidance.text_gate_step",
                                   "variation",
                                   "keep_latents",
                                   "start_latents"};

void Remove(const std::set<std::string>& names,
            std::vector<std::string>& fields) {
  fields.erase(std::remove_if(fields.begin(), fields.end(),
                              [&](const std::string& field) {
                                return names.count(field) > 0;
                              }),
               fields.end());
}

// Fills in what the U-Net decides.
void SetKind(const UNet2DConditionConfig& unet, int64_t latent_channels,
             PipelineTraits& traits) {
  if (EmbedsGuidance(unet)) {
    traits.guided_rows = 1;
    traits.defaults.steps = 4;
    traits.defaults.guidance_scale = 8.5;
    // There is no row to leave out.
    Remove({"guidance.start", "guidance.end"}, traits.request_fields);
  }
  if (unet.in_channels == latent_channels) {
    traits.tasks.push_back(v1::TASK_INPAINTING);
    return;
  }
  // The network needs the picture itself.
  Remove({"start_latents"}, traits.request_fields);
  if (unet.in_channels == 2 * latent_channels) {
    traits.guided_rows = 3;
    traits.tasks = {v1::TASK_IMAGE_TO_IMAGE};
    // It follows a picture rather than starting from it.
    Remove({"image_to_image.strength"}, traits.request_fields);
    traits.request_fields.emplace_back(kImageGuidance);
  } else if (unet.in_channels == latent_channels + kDepthChannels) {
    traits.tasks = {v1::TASK_IMAGE_TO_IMAGE};
  } else {
    traits.tasks = {v1::TASK_INPAINTING};
  }
}

}  // namespace

struct StableDiffusion::Parts {
  Placement placement;
  std::shared_ptr<const ClipTower> text;
  Component<UNet2DConditionConfig> unet;
  std::shared_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  PipelineTraits traits;
  std::unique_ptr<const Dpt> depth_estimator = nullptr;
  int64_t depth_bytes = 0;
};

StableDiffusion::StableDiffusion(Parts parts)
    : placement_(parts.placement),
      text_(std::move(parts.text)),
      embeds_guidance_(EmbedsGuidance(parts.unet.config)),
      picture_order_(PictureLayersOf(parts.unet.config).order),
      sight_(SightOf(parts.unet.config, *parts.codec)),
      channels_beside_(parts.unet.config.in_channels -
                       parts.unet.config.out_channels),
      denoiser_(RecordOn(parts.placement,
                         std::make_unique<UNet2DConditionModel>(
                             parts.unet.config, parts.unet.weights))),
      depth_estimator_(std::move(parts.depth_estimator)),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      traits_(std::move(parts.traits)),
      targets_(std::make_shared<AdapterTargets>()),
      weight_bytes_(text_->weight_bytes + parts.unet.weights.taken_bytes() +
                    parts.depth_bytes) {
  traits_.request_fields.emplace_back("loras");
  targets_->Add("text_encoder", text_->tensors, ClipTower::Unadapted());
  AddUNetTargets(parts.unet.weights, *targets_);
}

absl::StatusOr<StableDiffusion::Parts> StableDiffusion::ReadParts(
    const ModelIndex& index, const Placement& placement) {
  auto text = ClipTower::Load(index, "tokenizer", "text_encoder", placement);
  if (!text.ok()) return text.status();
  auto unet = OpenComponent(index, "unet", "UNet2DConditionModel",
                            ReadUNet2DConditionConfig, placement);
  if (!unet.ok()) return unet.status();
  auto codec = AutoencoderKLCodec::Load(index, placement);
  if (!codec.ok()) return codec.status();
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  PipelineTraits traits = {
      .family = kFamily,
      .tasks = {v1::TASK_TEXT_TO_IMAGE, v1::TASK_IMAGE_TO_IMAGE},
      .max_clip_skip = (*text)->config.num_hidden_layers - 1,
      .text_widths = {(*text)->config.hidden_size},
      .request_fields = {std::begin(kFields), std::end(kFields)}};
  traits.request_fields.emplace_back("hires");
  SetKind(unet->config, (*codec)->latent_channels(), traits);
  if (traits.guided_rows < 3) {
    TakeControls(ControlFitOf(unet->config), /*guesses=*/true, traits);
    TakePictures(PictureLayersOf(unet->config), traits);
  }
  const absl::Status status =
      ReadTraits(index, *scheduler, **codec, unet->config.sample_size, traits);
  if (!status.ok()) return status;
  // A network that is shown something else has no noise of the picture alone.
  if (unet->config.in_channels == (*codec)->latent_channels() &&
      !EmbedsGuidance(unet->config)) {
    TakeInversion(*scheduler, traits);
  }
  return Parts{placement,         *std::move(text),      *std::move(unet),
               *std::move(codec), *std::move(scheduler), std::move(traits)};
}

absl::Status StableDiffusion::CheckFit(const std::string& folder,
                                       const Parts& parts) {
  const UNet2DConditionConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  const int64_t beside = unet.in_channels - channels;
  if ((beside != 0 && beside != kDepthChannels && beside != channels &&
       beside != SightChannels(MaskSight::kLatent, *parts.codec)) ||
      unet.out_channels != channels) {
    return absl::UnimplementedError(absl::StrCat(
        folder, ": unet in_channels ", unet.in_channels, " and out_channels ",
        unet.out_channels, " are not the autoencoder's latent_channels ",
        channels, ", or with those of depth, of a picture or of a mask in"));
  }
  for (int64_t width : unet.cross_attention_dim) {
    if (width == parts.text->config.hidden_size) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": unet cross_attention_dim ", width,
                     " is not the text encoder's hidden_size ",
                     parts.text->config.hidden_size));
  }
  if (unet.embeddings.added_time_width == 0 &&
      unet.embeddings.classes == ClassEmbedding::kNone) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError(
      absl::StrCat(folder,
                   ": unet addition_embed_type or class_embed_type are another "
                   "family's"));
}

absl::Status StableDiffusion::LoadDepthEstimator(const ModelIndex& index,
                                                 Parts& parts) {
  if (!SeesDepth(parts.unet.config) || !index.Has(kDepthEstimator)) {
    return absl::OkStatus();
  }
  // In float32, as its normalisation needs.
  const auto opened =
      OpenComponent(index, kDepthEstimator, kDepthClass, ReadDptConfig,
                    {.device = parts.placement.device, .dtype = at::kFloat});
  if (!opened.ok()) return opened.status();
  parts.depth_estimator =
      std::make_unique<const Dpt>(opened->config, opened->weights);
  parts.depth_bytes = opened->weights.taken_bytes();
  return opened->weights.Finish(Dpt::IgnoredTensors());
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusion::Load(
    const ModelIndex& index, const Placement& placement) {
  auto parts = ReadParts(index, placement);
  if (!parts.ok()) return parts.status();
  absl::Status fits = CheckFit(index.folder, *parts);
  if (fits.ok()) fits = LoadDepthEstimator(index, *parts);
  if (!fits.ok()) return fits;
  const Weights unet = parts->unet.weights;
  std::unique_ptr<const Pipeline> pipeline(
      new StableDiffusion(*std::move(parts)));
  const absl::Status status = unet.Finish();
  if (!status.ok()) return status;
  return pipeline;
}

absl::StatusOr<ModelBytes> StableDiffusion::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  // What ReadParts opens. Folders have more: a safety checker may be as large
  // as the rest.
  const auto bytes = ComponentBytes(index, {"text_encoder", "unet"}, placement);
  if (!bytes.ok()) return bytes.status();
  const auto codec = CodecBytes(index, placement);
  if (!codec.ok()) return codec.status();
  const absl::Status sees = CheckDepthEstimator(index);
  if (!sees.ok()) return sees;
  if (!index.Has(kDepthEstimator)) return *bytes + *codec;
  const auto depth =
      ComponentBytes(index, {kDepthEstimator},
                     {.device = placement.device, .dtype = at::kFloat});
  if (!depth.ok()) return depth.status();
  return *bytes + *codec + *depth;
}

}  // namespace genzo
