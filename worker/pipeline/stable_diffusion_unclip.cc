#include "worker/pipeline/stable_diffusion_unclip.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion-unclip";
constexpr char kImageEncoder[] = "image_encoder";
constexpr char kNormalizer[] = "image_normalizer";
constexpr char kNoisingScheduler[] = "image_noising_scheduler";
constexpr int kNoiseLevel = 0;  // the reference's default

// Width of the embeddings that are normalised.
absl::StatusOr<int64_t> ReadNormalizerConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  const int64_t width = json->Int("embedding_dim", 768, 1);
  if (width % 2 != 0) {
    json->Fail(absl::StatusCode::kInvalidArgument, "embedding_dim", "is odd");
  }
  if (!json->status().ok()) return json->status();
  return width;
}

}  // namespace

struct StableDiffusionUnclip::Parts {
  Placement placement;
  std::shared_ptr<const ClipTower> text;
  Component<ClipVisionConfig> vision;
  ClipVisionEncoder image_encoder;
  ClipImageProcessor image_processor;
  Component<int64_t> normalizer;
  at::Tensor mean;
  at::Tensor deviation;
  std::vector<float> noising;
  Component<UNet2DConditionConfig> unet;
  std::shared_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  PipelineTraits traits;
};

StableDiffusionUnclip::StableDiffusionUnclip(Parts parts)
    : placement_(parts.placement),
      text_(std::move(parts.text)),
      image_encoder_(std::move(parts.image_encoder)),
      image_processor_(std::move(parts.image_processor)),
      mean_(std::move(parts.mean)),
      deviation_(std::move(parts.deviation)),
      noising_(std::move(parts.noising)),
      denoiser_(RecordOn(parts.placement,
                         std::make_unique<UNet2DConditionModel>(
                             parts.unet.config, parts.unet.weights))),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      traits_(std::move(parts.traits)),
      weight_bytes_(text_->weight_bytes + parts.vision.weights.taken_bytes() +
                    parts.normalizer.weights.taken_bytes() +
                    parts.unet.weights.taken_bytes()) {}

absl::StatusOr<StableDiffusionUnclip::Parts> StableDiffusionUnclip::ReadParts(
    const ModelIndex& index, const Placement& placement) {
  auto text = ClipTower::Load(index, "tokenizer", "text_encoder", placement);
  if (!text.ok()) return text.status();
  auto vision =
      OpenComponent(index, kImageEncoder, "CLIPVisionModelWithProjection",
                    ReadClipVisionConfig, placement);
  if (!vision.ok()) return vision.status();
  auto processor = ClipImageProcessor::Read(index.FilesOf("feature_extractor"),
                                            vision->config.image_size);
  if (!processor.ok()) return processor.status();
  // In float32, as noise is added to what it gives.
  auto normalizer =
      OpenComponent(index, kNormalizer, "StableUnCLIPImageNormalizer",
                    ReadNormalizerConfig, {.dtype = at::kFloat});
  if (!normalizer.ok()) return normalizer.status();
  auto noising = ReadNoising(index, kNoisingScheduler, kNoiseLevel);
  if (!noising.ok()) return noising.status();
  auto unet = OpenComponent(index, "unet", "UNet2DConditionModel",
                            ReadUNet2DConditionConfig, placement);
  if (!unet.ok()) return unet.status();
  auto codec = AutoencoderKLCodec::Load(index, placement);
  if (!codec.ok()) return codec.status();
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  PipelineTraits traits = {
      .family = kFamily,
      .tasks = {v1::TASK_IMAGE_TO_IMAGE},
      .sees_whole_picture = true,
      .max_clip_skip = (*text)->config.num_hidden_layers - 1,
      .request_fields = {"noise_level"}};
  const absl::Status status =
      ReadTraits(index, *scheduler, **codec, unet->config.sample_size, traits);
  if (!status.ok()) return status;
  const std::vector<int64_t> shape = {1, normalizer->config};
  ClipVisionEncoder encoder(vision->config, vision->weights);
  at::Tensor mean = normalizer->weights.Get("mean", shape);
  at::Tensor deviation = normalizer->weights.Get("std", shape);
  return Parts{
      placement,          *std::move(text),      *std::move(vision),
      std::move(encoder), *std::move(processor), *std::move(normalizer),
      std::move(mean),    std::move(deviation),  *std::move(noising),
      *std::move(unet),   *std::move(codec),     *std::move(scheduler),
      std::move(traits)};
}

absl::Status StableDiffusionUnclip::CheckFit(const std::string& folder,
                                             const Parts& parts) {
  const UNet2DConditionConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  const int64_t width = parts.image_encoder.embedding_size();
  if (parts.normalizer.config != width) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": image_normalizer embedding_dim ", parts.normalizer.config,
        " is not the image encoder's ", width));
  }
  for (const int64_t tokens : unet.cross_attention_dim) {
    if (tokens == parts.text->config.hidden_size) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": unet cross_attention_dim ", tokens,
                     " is not the text encoder's hidden_size ",
                     parts.text->config.hidden_size));
  }
  if (unet.in_channels == channels && unet.out_channels == channels &&
      unet.embeddings.classes == ClassEmbedding::kProjection &&
      unet.embeddings.projection_width == 2 * width &&
      unet.embeddings.guidance_width == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      folder, ": unet in_channels ", unet.in_channels, ", out_channels ",
      unet.out_channels, " and projection_class_embeddings_input_dim ",
      unet.embeddings.projection_width, " are not those of unCLIP: ", channels,
      ", ", channels, " and ", 2 * width,
      ", with class_embed_type projection"));
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusionUnclip::Load(
    const ModelIndex& index, const Placement& placement) {
  auto parts = ReadParts(index, placement);
  if (!parts.ok()) return parts.status();
  absl::Status status = CheckFit(index.folder, *parts);
  if (!status.ok()) return status;
  const Weights unet = parts->unet.weights;
  const Weights vision = parts->vision.weights;
  const Weights normalizer = parts->normalizer.weights;
  std::unique_ptr<const Pipeline> pipeline(
      new StableDiffusionUnclip(*std::move(parts)));
  status = unet.Finish();
  if (status.ok()) status = vision.Finish({ClipVisionEncoder::kPositionIds});
  if (status.ok()) status = normalizer.Finish();
  if (!status.ok()) return status;
  return pipeline;
}

at::Tensor StableDiffusionUnclip::Told(const at::Tensor& embedding,
                                       const at::Tensor& noise,
                                       int level) const {
  const at::Tensor noised = Noised((embedding - mean_) / deviation_, noise,
                                   LevelOf(noising_[level])) *
                                deviation_ +
                            mean_;
  return at::cat({noised, ProjectTimesteps(at::full({1}, level, at::kFloat),
                                           {.dim = embedding.size(1)})},
                 1);
}

absl::StatusOr<Encoded> StableDiffusionUnclip::EncodeOne(
    const EncodeTask& task, absl::Span<const TextEmbedding> rows) const {
  if (task.whole_picture == nullptr) {
    return InvalidFieldsError(
        {{"image_to_image",
          "image_to_image is missing: the model paints variations of a "
          "picture"}});
  }
  const auto level = NoisingOf(task.request, kNoiseLevel, max_noise_level());
  if (!level.ok()) return level.status();
  std::vector<at::Tensor> tokens;
  for (const TextEmbedding& row : rows) tokens.push_back(row[0]);
  Encoded encoded;
  encoded.unprepared = {
      .tokens = at::cat(tokens),
      .pooled =
          image_encoder_.forward(image_processor_.Process(*task.whole_picture))
              .embedding.to(at::kCPU, at::kFloat)};
  return encoded;
}

std::vector<absl::StatusOr<Encoded>> StableDiffusionUnclip::Encode(
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
    results.push_back(EncodeOne(tasks[i], rows[i]));
  }
  return results;
}

absl::StatusOr<std::vector<Stage>> StableDiffusionUnclip::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  return PlanWith(image.request.sampler(), scheduler_, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionUnclip::PlanBy(
    const nlohmann::json& scheduler, const ImageRequest& image,
    const Encoded& encoded) const {
  const auto sampler = DefaultSampler(scheduler);
  if (!sampler.ok()) return sampler.status();
  return PlanWith(*sampler, scheduler, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionUnclip::PlanWith(
    SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  const auto level = NoisingOf(request, kNoiseLevel, max_noise_level());
  if (!level.ok()) return level.status();
  Conditioning conditioning = encoded.unprepared;
  const at::Tensor& embedding = encoded.unprepared.pooled;
  const at::Tensor told =
      Told(embedding, image.noise->Draw(embedding.sizes()), *level);
  const int rows = RowsOf(traits_, request.guidance_scale());
  conditioning.pooled =
      rows == 1 ? told : at::cat({at::zeros_like(told), told});
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

PreparedRef StableDiffusionUnclip::PrepareEmpty() const {
  c10::InferenceMode inference;
  return *denoiser_->Prepare(
      {.tokens = EncodeTexts({""}, /*clip_skip=*/0),
       .pooled = at::zeros({1, 2 * image_encoder_.embedding_size()})});
}

at::Tensor StableDiffusionUnclip::EncodeTexts(
    const std::vector<std::string>& texts, int64_t clip_skip) const {
  c10::InferenceMode inference;
  return text_->encoder.forward(text_->IdsOf(texts, placement_.device),
                                clip_skip);
}

absl::StatusOr<ModelBytes> StableDiffusionUnclip::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  const auto bytes =
      ComponentBytes(index, {"text_encoder", "unet", kImageEncoder}, placement);
  if (!bytes.ok()) return bytes.status();
  const auto codec = CodecBytes(index, placement);
  if (!codec.ok()) return codec.status();
  return *bytes + *codec;
}

}  // namespace genzo
