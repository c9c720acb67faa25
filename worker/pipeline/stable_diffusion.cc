#include "worker/pipeline/stable_diffusion.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <set>

#include "ATen/ops/cat.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/denoiser/recorded_denoiser.h"
#include "worker/device/exception_status.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/nn/upsample_2d.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion";

// An integer buffer that CLIPTextModel's files carry and nobody needs.
const std::set<std::string>& IgnoredTextTensors() {
  static const auto* const names =
      new std::set<std::string>{"text_model.embeddings.position_ids"};
  return *names;
}

absl::StatusOr<nlohmann::json> ReadScheduler(const ModelIndex& index) {
  auto config = JsonConfig::ReadFile(
      index.FilesOf("scheduler").At("scheduler_config.json"));
  if (!config.ok()) return config.status();
  nlohmann::json json = config->object();
  const auto invalid = [&](const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat(config->name(), ": ", status.message()));
  };
  // Files of some exporters name the class in the index alone.
  const auto found = index.components.find("scheduler");
  if (!json.contains("_class_name") && found != index.components.end()) {
    json["_class_name"] = found->second;
  }
  // Here, or each request would be told that it is wrong.
  const auto sampler = DefaultSampler(json);
  if (!sampler.ok()) return invalid(sampler.status());
  const auto parsed =
      ParseSchedulerConfig(json, json.at("_class_name"), config->name());
  if (!parsed.ok()) return parsed.status();
  const absl::Status sound = CheckAlphasCumprod(*parsed);
  if (!sound.ok()) return invalid(sound);
  return json;
}

// Elements that the tensors of `files` whose names begin with `prefix` have
// when modules are built of them, for weights like `example`.
absl::StatusOr<int64_t> ElementsIn(const ComponentFiles& files,
                                   const std::string& prefix,
                                   const at::Tensor& example) {
  const auto tensors = files.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  int64_t elements = 0;
  for (const auto& [name, entry] : (*tensors)->entries()) {
    if (!c10::isFloatingType(entry.dtype) || !absl::StartsWith(name, prefix)) {
      continue;
    }
    elements += entry.elements() +
                Upsample2D::ElementsMade(name, entry.elements(), example);
  }
  return elements;
}

// Evaluations are replayed where launching them takes longer than running
// them. LibTorch would not know the device without CUDA.
std::unique_ptr<const Denoiser> RecordOn(const c10::Device& device,
                                         std::unique_ptr<const Denoiser> unet) {
  if (!device.is_cuda() || !OpenCudaBackend().ok()) return unet;
  std::unique_ptr<Recorder> recorder;
  try {
    recorder = (*OpenCudaBackend())->NewRecorder(device);
  } catch (const std::exception&) {
    // As with an allocator that the user chose for LibTorch.
    spdlog::warn("evaluations are not recorded: {}",
                 StatusFromException("no recorder").ToString());
    return unet;
  }
  return std::make_unique<RecordedDenoiser>(std::move(unet),
                                            std::move(recorder));
}

}  // namespace

struct StableDiffusion::Parts {
  Placement placement;
  ClipTokenizer tokenizer;
  Component<ClipTextConfig> text;
  Component<UNet2DConditionConfig> unet;
  std::unique_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  PipelineTraits traits;
};

StableDiffusion::StableDiffusion(Parts parts)
    : placement_(parts.placement),
      tokenizer_(std::move(parts.tokenizer)),
      text_encoder_(parts.text.config, parts.text.weights),
      denoiser_(RecordOn(parts.placement.device,
                         std::make_unique<UNet2DConditionModel>(
                             parts.unet.config, parts.unet.weights))),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      traits_(std::move(parts.traits)),
      weight_bytes_(parts.text.weights.taken_bytes() +
                    parts.unet.weights.taken_bytes()) {}

absl::StatusOr<StableDiffusion::Parts> StableDiffusion::ReadParts(
    const ModelIndex& index, const Placement& placement) {
  const auto vocabulary = index.Component("tokenizer", "CLIPTokenizer");
  if (!vocabulary.ok()) return vocabulary.status();
  auto tokenizer = ClipTokenizer::Read(*vocabulary);
  if (!tokenizer.ok()) return tokenizer.status();
  auto text = OpenComponent(index, "text_encoder", "CLIPTextModel",
                            ReadClipTextConfig, placement);
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
      .max_clip_skip = text->config.num_hidden_layers - 1};
  const int64_t pixels_per_latent = (*codec)->pixels_per_latent();
  traits.size_multiple = std::max<int64_t>(8, pixels_per_latent);
  traits.default_width = unet->config.sample_size * pixels_per_latent;
  traits.default_height = traits.default_width;
  absl::Status status = ReadSchedule(*scheduler, traits);
  if (status.ok()) status = ReadDefaults(index.files.At("genzo.json"), traits);
  if (!status.ok()) return status;
  return Parts{placement,        *std::move(tokenizer), *std::move(text),
               *std::move(unet), *std::move(codec),     *std::move(scheduler),
               std::move(traits)};
}

absl::Status StableDiffusion::CheckFit(const std::string& folder,
                                       const Parts& parts) {
  const ClipTextConfig& text = parts.text.config;
  if (parts.tokenizer.id_end() > text.vocab_size ||
      parts.tokenizer.model_max_length() > text.max_position_embeddings) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": the tokenizer's ", parts.tokenizer.id_end(),
                     " ids or ", parts.tokenizer.model_max_length(),
                     " positions do not fit the text encoder"));
  }
  const UNet2DConditionConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  if (unet.in_channels != channels || unet.out_channels != channels) {
    return absl::UnimplementedError(
        absl::StrCat(folder, ": unet in_channels ", unet.in_channels,
                     " and out_channels ", unet.out_channels,
                     " are not the autoencoder's latent_channels ", channels));
  }
  for (int64_t width : unet.cross_attention_dim) {
    if (width == text.hidden_size) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": unet cross_attention_dim ", width,
        " is not the text encoder's hidden_size ", text.hidden_size));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusion::Load(
    const ModelIndex& index, const Placement& placement) {
  auto parts = ReadParts(index, placement);
  if (!parts.ok()) return parts.status();
  const absl::Status fits = CheckFit(index.folder, *parts);
  if (!fits.ok()) return fits;
  const Weights text = parts->text.weights;
  const Weights unet = parts->unet.weights;
  std::unique_ptr<const Pipeline> pipeline(
      new StableDiffusion(*std::move(parts)));
  for (const absl::Status& status :
       {text.Finish(IgnoredTextTensors()), unet.Finish()}) {
    if (!status.ok()) return status;
  }
  return pipeline;
}

std::vector<EncoderText> StableDiffusion::TextsOf(
    const v1::GenerateRequest& request) const {
  std::vector<EncoderText> texts;
  // As in the reference pipeline, clip_skip does not touch the negative prompt.
  if (RowsOf(traits_, request.guidance_scale()) == 2) {
    texts.push_back({request.negative_prompt(), /*clip_skip=*/0});
  }
  texts.push_back({request.prompt(), request.clip_skip()});
  return texts;
}

absl::StatusOr<Encoded> StableDiffusion::EncodeOne(
    const EncodeTask& task, absl::Span<const TextEmbedding> rows) const {
  std::vector<at::Tensor> tokens;
  for (const TextEmbedding& row : rows) tokens.push_back(row[0]);
  auto prepared = denoiser_->Prepare({.tokens = at::cat(tokens)});
  if (!prepared.ok()) return prepared.status();
  Encoded encoded = {.prepared = {*std::move(prepared)}, .picture = {}};
  if (task.picture.defined()) encoded.picture = codec_->Encode(task.picture);
  return encoded;
}

std::vector<absl::StatusOr<Encoded>> StableDiffusion::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  const auto encode = [this](const std::vector<std::string>& strings,
                             int64_t clip_skip) {
    return std::vector<at::Tensor>{EncodeTexts(strings, clip_skip)};
  };
  std::vector<EncoderText> all;
  for (const EncodeTask& task : tasks) {
    const auto added = TextsOf(task.request);
    all.insert(all.end(), added.begin(), added.end());
  }
  std::vector<TextEmbedding> rows;
  if (together) {
    rows = texts.Get(this, all, encode);
  } else {
    for (const EncoderText& text : all) {
      rows.push_back(texts.Get(this, {text}, encode)[0]);
    }
  }
  std::vector<absl::StatusOr<Encoded>> encoded;
  absl::Span<const TextEmbedding> left = rows;
  for (const EncodeTask& task : tasks) {
    const auto count =
        static_cast<size_t>(RowsOf(traits_, task.request.guidance_scale()));
    encoded.push_back(EncodeOne(task, left.subspan(0, count)));
    left.remove_prefix(count);
  }
  return encoded;
}

PreparedRef StableDiffusion::PrepareEmpty() const {
  c10::InferenceMode inference;
  return *denoiser_->Prepare({.tokens = EncodeTexts({""}, /*clip_skip=*/0)});
}

absl::StatusOr<std::vector<Stage>> StableDiffusion::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  return PlanWith(image.request.sampler(), scheduler_, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusion::PlanBy(
    const nlohmann::json& scheduler, const ImageRequest& image,
    const Encoded& encoded) const {
  const auto sampler = DefaultSampler(scheduler);
  if (!sampler.ok()) return sampler.status();
  return PlanWith(*sampler, scheduler, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusion::PlanWith(
    SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  const int64_t scale = codec_->pixels_per_latent();
  const int steps = static_cast<int>(request.steps());
  SamplerStart start;
  if (encoded.picture.defined()) {
    // In the reference's order: the picture's draw, then the walk's noise.
    start.sample = codec_->Sample(encoded.picture, *image.noise);
    start.first_step = FirstStepOf(request.image_to_image().strength(), steps);
  }
  start.noise =
      image.noise->Draw({1, codec_->latent_channels(), request.height() / scale,
                         request.width() / scale});
  start.source = image.noise;
  auto run = CreateSampler(sampler, FromProto(request.schedule()), scheduler,
                           OptionsOf(request), start);
  if (absl::IsInvalidArgument(run.status())) {
    return InvalidFieldsError({{"steps", std::string(run.status().message())}});
  }
  if (!run.ok()) return run.status();
  std::vector<Stage> stages(1);
  stages[0] = {.denoiser = denoiser_.get(),
               .prepared = encoded.prepared[0],
               .guidance = {.rows = RowsOf(traits_, request.guidance_scale()),
                            .scale = request.guidance_scale(),
                            .rescale = request.guidance_rescale()},
               .sampler = *std::move(run),
               .begin = nullptr};
  return stages;
}

absl::StatusOr<int64_t> StableDiffusion::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  const at::Tensor example = at::empty(
      {1}, at::TensorOptions(placement.device).dtype(placement.dtype));
  // What ReadParts opens. Folders have more: a safety checker may be as large
  // as the rest.
  std::vector<std::pair<std::string, std::string>> parts = {
      {"text_encoder", ""}, {"unet", ""}, {"vae", ""}};
  if (std::filesystem::exists(
          index.FilesOf(AutoencoderKLCodec::kTinyFolder).path())) {
    parts.emplace_back(AutoencoderKLCodec::kTinyFolder, "decoder.");
  }
  int64_t elements = 0;
  for (const auto& [part, prefix] : parts) {
    const auto counted = ElementsIn(index.FilesOf(part), prefix, example);
    if (!counted.ok()) return counted.status();
    elements += *counted;
  }
  return elements * static_cast<int64_t>(c10::elementSize(placement.dtype));
}

at::Tensor StableDiffusion::EncodeTexts(const std::vector<std::string>& texts,
                                        int64_t clip_skip) const {
  c10::InferenceMode inference;
  std::vector<int64_t> ids;
  for (const std::string& text : texts) {
    const std::vector<int64_t> encoded = tokenizer_.EncodePadded(text);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
  }
  const at::Tensor batch = at::tensor(ids, at::kLong)
                               .view({static_cast<int64_t>(texts.size()), -1})
                               .to(placement_.device);
  return text_encoder_.forward(batch, clip_skip);
}

}  // namespace genzo
