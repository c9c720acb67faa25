#include "worker/pipeline/stable_diffusion_latent_upscale.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/denoiser/k_unet.h"
#include "worker/pipeline/component_bytes.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion-latent-upscale";
constexpr int64_t kFactor = 2;
// Cosines and sines of the noise on the small picture, of which there is none.
constexpr int64_t kNoiseHalf = 64;
constexpr int kSteps = 20;
constexpr double kGuidanceScale = 0;

}  // namespace

struct StableDiffusionLatentUpscale::Parts {
  Placement placement;
  std::shared_ptr<const ClipTower> text;
  Component<KUNetConfig> unet;
  std::shared_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  std::vector<float> alphas_cumprod;
  PipelineTraits traits;
};

StableDiffusionLatentUpscale::StableDiffusionLatentUpscale(Parts parts)
    : placement_(parts.placement),
      text_(std::move(parts.text)),
      denoiser_(RecordOn(
          parts.placement,
          std::make_unique<KUNet>(parts.unet.config, parts.alphas_cumprod,
                                  parts.unet.weights))),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      traits_(std::move(parts.traits)),
      unet_bytes_(parts.unet.weights.taken_bytes()) {}

absl::Status StableDiffusionLatentUpscale::CheckFit(const std::string& folder,
                                                    const Parts& parts) {
  const KUNetConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  const int64_t condition = 2 * kNoiseHalf + parts.text->config.hidden_size;
  if (unet.in_channels == 2 * channels && unet.latent_channels() == channels &&
      unet.condition_width == condition) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      folder, ": unet in_channels ", unet.in_channels, ", out_channels ",
      unet.out_channels, " and time_cond_proj_dim ", unet.condition_width,
      " are not those of a latent upscaler: ", 2 * channels, ", ", channels + 1,
      " and ", condition));
}

absl::StatusOr<std::unique_ptr<const Pipeline>>
StableDiffusionLatentUpscale::Load(const ModelIndex& index,
                                   const Placement& placement) {
  auto text = ClipTower::Load(index, "tokenizer", "text_encoder", placement);
  if (!text.ok()) return text.status();
  auto unet = OpenComponent(index, "unet", "UNet2DConditionModel",
                            ReadKUNetConfig, placement);
  if (!unet.ok()) return unet.status();
  auto codec = AutoencoderKLCodec::Load(index, placement);
  if (!codec.ok()) return codec.status();
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  auto noising = ReadNoising(index, "scheduler", /*max_level=*/0);
  if (!noising.ok()) return noising.status();
  // The file speaks of what the reference makes of the U-Net's answer.
  (*scheduler)["prediction_type"] = "v_prediction";
  PipelineTraits traits = {
      .family = kFamily,
      .tasks = {v1::TASK_IMAGE_TO_IMAGE},
      .max_clip_skip = (*text)->config.num_hidden_layers - 1};
  traits.defaults.steps = kSteps;
  traits.defaults.guidance_scale = kGuidanceScale;
  absl::Status status =
      ReadTraits(index, *scheduler, **codec, unet->config.sample_size, traits);
  if (!status.ok()) return status;
  traits.size_multiple = (*codec)->pixels_per_latent()
                         << (unet->config.block_out_channels.size() - 1);
  traits.picture_divisor = kFactor;
  traits.request_fields = {};
  Parts parts = {placement,         *std::move(text),      *std::move(unet),
                 *std::move(codec), *std::move(scheduler), *std::move(noising),
                 std::move(traits)};
  status = CheckFit(index.folder, parts);
  if (!status.ok()) return status;
  const Weights weights = parts.unet.weights;
  std::unique_ptr<const Pipeline> pipeline(
      new StableDiffusionLatentUpscale(std::move(parts)));
  status = weights.Finish();
  if (!status.ok()) return status;
  return pipeline;
}

Conditioning StableDiffusionLatentUpscale::ConditionOn(
    const std::vector<TextEmbedding>& rows) {
  std::vector<at::Tensor> tokens, pooled;
  for (const TextEmbedding& row : rows) {
    tokens.push_back(row[0]);
    pooled.push_back(
        at::cat({at::ones({1, kNoiseHalf}, row[1].options()),
                 at::zeros({1, kNoiseHalf}, row[1].options()), row[1]},
                1));
  }
  return {.tokens = at::cat(tokens), .pooled = at::cat(pooled)};
}

std::vector<absl::StatusOr<Encoded>> StableDiffusionLatentUpscale::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  TextLists lists;
  for (const EncodeTask& task : tasks) {
    const v1::GenerateRequest& request = task.request;
    auto& list = lists.emplace_back();
    if (RowsOf(traits_, request.guidance_scale()) == 2) {
      list.push_back({request.negative_prompt(), /*clip_skip=*/0});
    }
    list.push_back({request.guidance_scale() == 0 ? "" : request.prompt(),
                    request.clip_skip()});
  }
  const auto rows = EncodeLists(
      lists, together, this, texts,
      [this](const std::vector<std::string>& strings, int64_t clip_skip) {
        return EncodeTexts(strings, clip_skip);
      });
  std::vector<absl::StatusOr<Encoded>> results;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks[i].picture.defined()) {
      results.emplace_back(InvalidFieldsError(
          {{"image_to_image",
            "image_to_image is missing: the model enlarges a picture"}}));
      continue;
    }
    const LatentDistribution small = codec_->Encode(tasks[i].picture);
    Encoded encoded;
    encoded.unprepared = ConditionOn(rows[i]);
    // Until an image's own noise draws from it.
    encoded.unprepared.image = at::cat({small.mean, small.deviation}, 1);
    results.emplace_back(std::move(encoded));
  }
  return results;
}

absl::StatusOr<std::vector<Stage>> StableDiffusionLatentUpscale::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  Conditioning conditioning = encoded.unprepared;
  const auto halves = conditioning.image.chunk(2, /*dim=*/1);
  const at::Tensor small =
      codec_->Sample({.mean = halves[0], .deviation = halves[1]}, *image.noise);
  conditioning.image = at::upsample_nearest2d(
      small, {kFactor * small.size(2), kFactor * small.size(3)});
  auto prepared = denoiser_->Prepare(conditioning);
  if (!prepared.ok()) return prepared.status();
  auto walk = CreateWalk(request.sampler(), scheduler_, request,
                         OptionsOf(request), StartOf(image, encoded, *codec_));
  if (!walk.ok()) return walk.status();
  std::vector<Stage> stages(1);
  Stage& stage = stages[0];
  stage.denoiser = denoiser_.get();
  stage.prepared = *std::move(prepared);
  stage.guidance = {.rows = RowsOf(traits_, request.guidance_scale()),
                    .scale = request.guidance_scale(),
                    .rescale = request.guidance_rescale()};
  stage.sampler = *std::move(walk);
  return stages;
}

PreparedRef StableDiffusionLatentUpscale::PrepareEmpty() const {
  c10::InferenceMode inference;
  Conditioning conditioning = ConditionOn({EncodeTexts({""}, 0)});
  conditioning.image = at::zeros({1, codec_->latent_channels(), 1, 1});
  return *denoiser_->Prepare(conditioning);
}

TextEmbedding StableDiffusionLatentUpscale::EncodeTexts(
    const std::vector<std::string>& texts, int64_t clip_skip) const {
  const ClipTextStates states = text_->encoder.EncodePooled(
      text_->IdsOf(texts, placement_.device), clip_skip);
  return {states.hidden, states.pooled};
}

absl::StatusOr<ModelBytes> StableDiffusionLatentUpscale::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  const auto bytes = ComponentBytes(index, {"text_encoder", "unet"}, placement);
  if (!bytes.ok()) return bytes.status();
  const auto codec = CodecBytes(index, placement);
  if (!codec.ok()) return codec.status();
  return *bytes + *codec;
}

}  // namespace genzo
