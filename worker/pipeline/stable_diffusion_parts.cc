#include "worker/pipeline/stable_diffusion_parts.h"

#include <algorithm>
#include <exception>
#include <set>

#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "worker/denoiser/recorded_denoiser.h"
#include "worker/device/exception_status.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/pipeline/start_noise.h"
#include "worker/pipeline/walk_fault.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/weights/json_config.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

constexpr char kProjected[] = "CLIPTextModelWithProjection";

// What files of text encoders carry and nobody here needs: a buffer of integers
// (in merges of old the encoder has no prefix), the rest of a whole CLIP.
std::set<std::string> IgnoredTextTensors(bool projects) {
  std::set<std::string> names = {
      "embeddings.position_ids", "text_model.embeddings.position_ids",
      "vision_model.", "visual_projection.", "logit_scale"};
  if (!projects) names.insert("text_projection.");
  return names;
}

// With the class that the index names; a projection need not be there.
absl::StatusOr<Component<ClipTextConfig>> OpenTextEncoder(
    const ModelIndex& index, const std::string& name,
    const Placement& placement) {
  return index.ClassOf(name) == kProjected
             ? OpenComponent(index, name, kProjected,
                             ReadClipTextProjectionConfig, placement)
             : OpenComponent(index, name, "CLIPTextModel", ReadClipTextConfig,
                             placement);
}

absl::StatusOr<std::shared_ptr<const ClipTower>> LoadTower(
    const ModelIndex& index, const std::string& tokenizer,
    const std::string& text_encoder, const Placement& placement) {
  // The same files, read by other code.
  const bool fast = index.ClassOf(tokenizer) == "CLIPTokenizerFast";
  const auto folder =
      index.Component(tokenizer, fast ? "CLIPTokenizerFast" : "CLIPTokenizer");
  if (!folder.ok()) return folder.status();
  auto read = ClipTokenizer::Read(*folder);
  if (!read.ok()) return read.status();
  const auto text = OpenTextEncoder(index, text_encoder, placement);
  if (!text.ok()) return text.status();
  if (read->id_end() > text->config.vocab_size ||
      read->model_max_length() > text->config.max_position_embeddings) {
    return absl::InvalidArgumentError(absl::StrCat(
        index.folder, ": the ", tokenizer, "'s ", read->id_end(), " ids or ",
        read->model_max_length(), " positions do not fit the text encoder"));
  }
  const ClipTextEncoder encoder(text->config, text->weights);
  const absl::Status finished =
      text->weights.Finish(IgnoredTextTensors(text->config.projection_dim > 0));
  if (!finished.ok()) return finished;
  return std::shared_ptr<const ClipTower>(
      new ClipTower{*std::move(read), text->config, encoder,
                    text->weights.taken_bytes(), text->weights.source()});
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ClipTower>> ClipTower::Load(
    const ModelIndex& index, const std::string& tokenizer,
    const std::string& text_encoder, const Placement& placement) {
  return index.ShareOf<ClipTower>(
      "clip", {tokenizer, text_encoder}, placement,
      [&] { return LoadTower(index, tokenizer, text_encoder, placement); });
}

std::vector<std::string> ClipTower::Unadapted() {
  return {"text_model.embeddings.", "embeddings."};
}

void AddUNetTargets(const Weights& weights, AdapterTargets& targets) {
  targets.Add("denoiser", weights.source(), {"class_embedding."});
  targets.AddNames("denoiser", UNetNames(weights.source()->entries()));
}

at::Tensor ClipTower::IdsOf(const std::vector<std::string>& texts,
                            const at::Device& device) const {
  std::vector<int64_t> ids;
  for (const std::string& text : texts) {
    const std::vector<int64_t> encoded = tokenizer.EncodePadded(text);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
  }
  return at::tensor(ids, at::kLong)
      .view({static_cast<int64_t>(texts.size()), -1})
      .to(device);
}

LearnedWords ClipTower::WordsOf(const EmbeddingLibrary* library,
                                std::vector<int64_t> widths,
                                size_t encoder) const {
  if (library == nullptr) return {};
  if (widths.empty()) widths = {config.hidden_size};
  return LearnedWords(*library, widths, encoder,
                      std::max(config.vocab_size, tokenizer.id_end()));
}

absl::StatusOr<nlohmann::json> ReadScheduler(const ModelIndex& index,
                                             const std::string& component) {
  auto config = JsonConfig::ReadFile(
      index.FilesOf(component).At("scheduler_config.json"));
  if (!config.ok()) return config.status();
  nlohmann::json json = config->object();
  const absl::Status changed =
      ChangeSchedule(index.files.At("genzo.json"), json);
  if (!changed.ok()) return changed;
  const auto invalid = [&](const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat(config->name(), ": ", status.message()));
  };
  // Files of some exporters name the class in the index alone.
  const std::string class_name = config->ClassName(index.ClassOf(component));
  if (!config->status().ok()) return config->status();
  json["_class_name"] = class_name;
  // Here, or each request would be told that it is wrong.
  const auto sampler = DefaultSampler(json);
  if (!sampler.ok()) return invalid(sampler.status());
  const auto parsed = ParseSchedulerConfig(json, class_name, config->name());
  if (!parsed.ok()) return parsed.status();
  const absl::Status sound = CheckAlphasCumprod(*parsed);
  if (!sound.ok()) return invalid(sound);
  return json;
}

absl::StatusOr<std::vector<float>> ReadNoising(const ModelIndex& index,
                                               const std::string& component,
                                               size_t max_level) {
  const TextFile file = index.FilesOf(component).At("scheduler_config.json");
  const auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  // The forward process is the same whatever the class; DDIM's reader has it.
  const auto config =
      ParseSchedulerConfig(json->object(), "DDIMScheduler", file.path());
  if (!config.ok()) return config.status();
  const absl::Status sound = CheckAlphasCumprod(*config);
  if (!sound.ok()) return sound;
  std::vector<float> alphas = MakeAlphasCumprod(*config);
  if (alphas.size() > max_level) return alphas;
  return absl::InvalidArgumentError(
      absl::StrCat(file.path(), ": num_train_timesteps ", alphas.size(),
                   " is not over ", max_level));
}

absl::StatusOr<int> NoisingOf(const v1::GenerateRequest& request, int otherwise,
                              int max_level) {
  if (!request.has_noise_level()) return otherwise;
  if (request.noise_level() <= static_cast<uint32_t>(max_level)) {
    return static_cast<int>(request.noise_level());
  }
  return InvalidFieldsError(
      {{"noise_level", absl::StrCat("noise_level ", request.noise_level(),
                                    " is not between 0 and ", max_level)}});
}

// LibTorch would not know the device without CUDA.
std::unique_ptr<const Denoiser> RecordOn(const Placement& placement,
                                         std::unique_ptr<const Denoiser> unet) {
  const c10::Device& device = placement.device;
  if (!placement.record || !device.is_cuda() || !OpenCudaBackend().ok()) {
    return unet;
  }
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

absl::Status ReadTraits(const ModelIndex& index,
                        const nlohmann::json& scheduler,
                        const LatentCodec& codec, const Sides& sample_size,
                        PipelineTraits& traits) {
  const int64_t pixels_per_latent = codec.pixels_per_latent();
  traits.size_multiple = std::max<int64_t>(8, pixels_per_latent);
  traits.default_width = sample_size.width * pixels_per_latent;
  traits.default_height = sample_size.height * pixels_per_latent;
  const absl::Status status = ReadSchedule(scheduler, traits);
  return status.ok() ? ReadDefaults(index.files.At("genzo.json"), traits)
                     : status;
}

std::vector<std::vector<TextEmbedding>> EncodeLists(
    const TextLists& texts, bool together, const void* owner, TextCache& cache,
    const TextCache::Encode& encode) {
  std::vector<EncoderText> all;
  for (const auto& list : texts)
    all.insert(all.end(), list.begin(), list.end());
  std::vector<TextEmbedding> rows;
  if (together) {
    rows = cache.Get(owner, all, encode);
  } else {
    for (const EncoderText& text : all) {
      rows.push_back(cache.Get(owner, {text}, encode)[0]);
    }
  }
  std::vector<std::vector<TextEmbedding>> lists;
  auto next = rows.begin();
  for (const auto& list : texts) {
    const auto end = next + static_cast<std::ptrdiff_t>(list.size());
    lists.emplace_back(next, end);
    next = end;
  }
  return lists;
}

SamplerStart StartOf(const ImageRequest& image, const Encoded& encoded,
                     const LatentCodec& codec) {
  const v1::GenerateRequest& request = image.request;
  SamplerStart start;
  if (image.latent.defined()) {
    start.sample = image.latent;
  } else if (encoded.picture.defined()) {
    start.sample = codec.Sample(encoded.picture, *image.noise);
  } else {
    start.sample = encoded.latent;
  }
  if (start.sample.defined()) {
    start.first_step = FirstStepOf(request.image_to_image().strength(),
                                   static_cast<int>(request.steps()));
  }
  start.inverts = image.inverts;
  if (start.inverts) return start;
  start.noise = StartNoise(image, codec);
  start.source = image.noise;
  return start;
}

void TakeInversion(const nlohmann::json& scheduler, PipelineTraits& traits) {
  if (ParseSchedulerConfig(scheduler, "DDIMInverseScheduler").ok()) {
    traits.request_fields.emplace_back("image_to_image.inversion");
  }
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateWalk(
    SamplerId sampler, const nlohmann::json& scheduler,
    const v1::GenerateRequest& request, const SamplerOptions& options,
    const SamplerStart& start) {
  auto walk = start.inverts
                  ? CreateSamplerOfClass("DDIMInverseScheduler",
                                         SigmaSchedule::kDefault, scheduler,
                                         {.steps = options.steps}, start)
                  : CreateSampler(sampler, FromProto(request.schedule()),
                                  scheduler, options, start);
  if (!walk.ok()) return WalkFault(request, walk.status());
  return walk;
}

}  // namespace genzo
