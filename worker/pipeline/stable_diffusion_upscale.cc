#include "worker/pipeline/stable_diffusion_upscale.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion-upscale";
constexpr char kLowScheduler[] = "low_res_scheduler";
constexpr int64_t kColours = 3;
constexpr char kNoiseLevelField[] = "noise_level";

}  // namespace

struct StableDiffusionUpscale::Parts {
  Placement placement;
  std::shared_ptr<const ClipTower> text;
  Component<UNet2DConditionConfig> unet;
  std::shared_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  std::vector<float> noising;
  PipelineTraits traits;
};

StableDiffusionUpscale::StableDiffusionUpscale(Parts parts)
    : placement_(parts.placement),
      text_(std::move(parts.text)),
      denoiser_(RecordOn(parts.placement,
                         std::make_unique<UNet2DConditionModel>(
                             parts.unet.config, parts.unet.weights))),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      noising_(std::move(parts.noising)),
      traits_(std::move(parts.traits)),
      unet_bytes_(parts.unet.weights.taken_bytes()) {}

absl::Status StableDiffusionUpscale::CheckFit(const std::string& folder,
                                              const Parts& parts) {
  const UNet2DConditionConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  if (unet.in_channels == channels + kColours &&
      unet.out_channels == channels &&
      unet.embeddings.classes == ClassEmbedding::kTable &&
      unet.embeddings.class_count > kMaxNoiseLevel &&
      unet.embeddings.added_time_width == 0 &&
      unet.embeddings.guidance_width == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      folder, ": unet in_channels ", unet.in_channels, ", out_channels ",
      unet.out_channels, " and num_class_embeds ", unet.embeddings.class_count,
      " are not those of an upscaler: ", channels + kColours, ", ", channels,
      " and over ", kMaxNoiseLevel));
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusionUpscale::Load(
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
  auto noising = ReadNoising(index, kLowScheduler, kMaxNoiseLevel);
  if (!noising.ok()) return noising.status();
  PipelineTraits traits = {
      .family = kFamily,
      .tasks = {v1::TASK_IMAGE_TO_IMAGE},
      .max_clip_skip = (*text)->config.num_hidden_layers - 1};
  absl::Status status =
      ReadTraits(index, *scheduler, **codec, unet->config.sample_size, traits);
  if (!status.ok()) return status;
  traits.picture_divisor = (*codec)->pixels_per_latent();
  traits.request_fields = {kNoiseLevelField};
  Parts parts = {placement,         *std::move(text),      *std::move(unet),
                 *std::move(codec), *std::move(scheduler), *std::move(noising),
                 std::move(traits)};
  status = CheckFit(index.folder, parts);
  if (!status.ok()) return status;
  const Weights weights = parts.unet.weights;
  std::unique_ptr<const Pipeline> pipeline(
      new StableDiffusionUpscale(std::move(parts)));
  status = weights.Finish();
  if (!status.ok()) return status;
  return pipeline;
}

std::vector<absl::StatusOr<Encoded>> StableDiffusionUpscale::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  TextLists lists;
  for (const EncodeTask& task : tasks) {
    const v1::GenerateRequest& request = task.request;
    auto& list = lists.emplace_back();
    if (RowsOf(traits_, request.guidance_scale()) == 2) {
      list.push_back({request.negative_prompt(), /*clip_skip=*/0});
    }
    list.push_back({request.prompt(), request.clip_skip()});
  }
  const auto rows = EncodeLists(
      lists, together, this, texts,
      [this](const std::vector<std::string>& strings, int64_t clip_skip) {
        return std::vector<at::Tensor>{EncodeTexts(strings, clip_skip)};
      });
  std::vector<absl::StatusOr<Encoded>> results;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks[i].picture.defined()) {
      results.emplace_back(InvalidFieldsError(
          {{"image_to_image",
            "image_to_image is missing: the model enlarges a picture"}}));
      continue;
    }
    const auto level = NoisingOf(tasks[i].request, kNoiseLevel, kMaxNoiseLevel);
    if (!level.ok()) {
      results.emplace_back(level.status());
      continue;
    }
    std::vector<at::Tensor> tokens;
    for (const TextEmbedding& row : rows[i]) tokens.push_back(row[0]);
    const auto count = static_cast<int64_t>(tokens.size());
    Encoded encoded;
    encoded.unprepared = {.tokens = at::cat(tokens),
                          .numbers = at::full({count, 1}, *level, at::kFloat),
                          .image = tasks[i].picture};
    results.emplace_back(std::move(encoded));
  }
  return results;
}

absl::StatusOr<std::vector<Stage>> StableDiffusionUpscale::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  return PlanWith(image.request.sampler(), scheduler_, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionUpscale::PlanBy(
    const nlohmann::json& scheduler, const ImageRequest& image,
    const Encoded& encoded) const {
  const auto sampler = DefaultSampler(scheduler);
  if (!sampler.ok()) return sampler.status();
  return PlanWith(*sampler, scheduler, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionUpscale::PlanWith(
    SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  Conditioning conditioning = encoded.unprepared;
  const auto level = NoisingOf(request, kNoiseLevel, kMaxNoiseLevel);
  if (!level.ok()) return level.status();
  const at::Tensor noised =
      Noised(conditioning.image, image.noise->Draw(conditioning.image.sizes()),
             LevelOf(noising_[*level]));
  const int rows = RowsOf(traits_, request.guidance_scale());
  conditioning.image = at::cat(std::vector<at::Tensor>(rows, noised));
  auto prepared = denoiser_->Prepare(conditioning);
  if (!prepared.ok()) return prepared.status();
  auto walk = CreateWalk(sampler, scheduler, request, OptionsOf(request),
                         StartOf(image, encoded, *codec_));
  if (!walk.ok()) return walk.status();
  std::vector<Stage> stages(1);
  stages[0] = {.denoiser = denoiser_.get(),
               .prepared = *std::move(prepared),
               .guidance = {.rows = rows,
                            .scale = request.guidance_scale(),
                            .rescale = request.guidance_rescale()},
               .sampler = *std::move(walk),
               .begin = nullptr};
  return stages;
}

PreparedRef StableDiffusionUpscale::PrepareEmpty() const {
  c10::InferenceMode inference;
  return *denoiser_->Prepare(
      {.tokens = EncodeTexts({""}, /*clip_skip=*/0),
       .numbers = at::full({1, 1}, kNoiseLevel, at::kFloat),
       .image = at::zeros({1, kColours, 1, 1})});
}

at::Tensor StableDiffusionUpscale::EncodeTexts(
    const std::vector<std::string>& texts, int64_t clip_skip) const {
  c10::InferenceMode inference;
  return text_->encoder.forward(text_->IdsOf(texts, placement_.device),
                                clip_skip);
}

absl::StatusOr<ModelBytes> StableDiffusionUpscale::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  const auto bytes = ComponentBytes(index, {"text_encoder", "unet"}, placement);
  if (!bytes.ok()) return bytes.status();
  const auto codec = CodecBytes(index, placement);
  if (!codec.ok()) return codec.status();
  return *bytes + *codec;
}

}  // namespace genzo
