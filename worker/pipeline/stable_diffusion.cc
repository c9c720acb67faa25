#include "worker/pipeline/stable_diffusion.h"

#include <exception>
#include <filesystem>
#include <set>

#include "ATen/ops/empty.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/nn/upsample_2d.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// An integer buffer that CLIPTextModel's files carry and nobody needs.
const std::set<std::string>& IgnoredTextTensors() {
  static const auto* const names =
      new std::set<std::string>{"text_model.embeddings.position_ids"};
  return *names;
}

absl::StatusOr<nlohmann::json> ReadScheduler(const ModelIndex& index) {
  const auto path = std::filesystem::path(index.folder) / "scheduler" /
                    "scheduler_config.json";
  auto config = JsonConfig::ReadFile(path.string());
  if (!config.ok()) return config.status();
  nlohmann::json json = config->object();
  // Files of some exporters name the class in the index alone.
  const auto found = index.components.find("scheduler");
  if (!json.contains("_class_name") && found != index.components.end()) {
    json["_class_name"] = found->second;
  }
  return json;
}

// `unet` outlives the result. LibTorch would not know the device without CUDA.
std::unique_ptr<RecordedDenoiser> RecordUNet(const UNet2DConditionModel& unet,
                                             const c10::Device& device) {
  if (!device.is_cuda() || !OpenCudaBackend().ok()) return nullptr;
  try {
    return std::make_unique<RecordedDenoiser>(
        [&unet](const at::Tensor& sample, const at::Tensor& times,
                const std::vector<KeyValues>& context) {
          return unet.forward(sample, times, context);
        },
        (*OpenCudaBackend())->NewRecorder(device));
  } catch (const std::exception&) {
    // As with an allocator that the user chose for LibTorch.
    spdlog::warn("evaluations are not recorded: {}",
                 StatusFromException("no recorder").ToString());
    return nullptr;
  }
}

}  // namespace

struct DiffusionModel::Parts {
  Placement placement;
  ClipTokenizer tokenizer;
  Component<ClipTextConfig> text;
  Component<UNet2DConditionConfig> unet;
  std::unique_ptr<const LatentDecoder> decoder;
  nlohmann::json scheduler;
  SamplerId default_sampler;
};

DiffusionModel::DiffusionModel(Parts parts)
    : placement_(parts.placement),
      tokenizer_(std::move(parts.tokenizer)),
      text_encoder_(parts.text.config, parts.text.weights),
      unet_(parts.unet.config, parts.unet.weights),
      timestep_table_(unet_),
      recorded_unet_(RecordUNet(unet_, parts.placement.device)),
      decoder_(std::move(parts.decoder)),
      scheduler_(std::move(parts.scheduler)),
      default_sampler_(parts.default_sampler),
      text_layers_(parts.text.config.num_hidden_layers),
      weight_bytes_(parts.text.weights.taken_bytes() +
                    parts.unet.weights.taken_bytes() +
                    decoder_->weight_bytes()) {}

absl::StatusOr<DiffusionModel::Parts> DiffusionModel::ReadParts(
    const std::string& folder, const Placement& placement) {
  const auto index = ReadModelIndex(folder);
  if (!index.ok()) return index.status();
  if (index->pipeline_class != "StableDiffusionPipeline") {
    return absl::UnimplementedError(
        absl::StrCat(folder, "/model_index.json: pipeline class ",
                     index->pipeline_class, " is not supported"));
  }
  const auto tokenizer_folder = index->Component("tokenizer", "CLIPTokenizer");
  if (!tokenizer_folder.ok()) return tokenizer_folder.status();
  auto tokenizer = ClipTokenizer::Read(*tokenizer_folder);
  if (!tokenizer.ok()) return tokenizer.status();
  auto text = OpenComponent(*index, "text_encoder", "CLIPTextModel",
                            ReadClipTextConfig, placement);
  if (!text.ok()) return text.status();
  auto unet = OpenComponent(*index, "unet", "UNet2DConditionModel",
                            ReadUNet2DConditionConfig, placement);
  if (!unet.ok()) return unet.status();
  auto decoder = LatentDecoder::Load(*index, placement);
  if (!decoder.ok()) return decoder.status();
  auto scheduler = ReadScheduler(*index);
  if (!scheduler.ok()) return scheduler.status();
  const auto sampler = DefaultSampler(*scheduler);
  if (!sampler.ok()) return sampler.status();
  return Parts{placement,        *std::move(tokenizer), *std::move(text),
               *std::move(unet), *std::move(decoder),   *std::move(scheduler),
               *sampler};
}

absl::Status DiffusionModel::CheckFit(const std::string& folder,
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
  const int64_t channels = parts.decoder->config().latent_channels;
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

absl::StatusOr<std::unique_ptr<const DiffusionModel>>
DiffusionModel::LoadOrThrow(const std::string& folder,
                            const Placement& placement) {
  auto parts = ReadParts(folder, placement);
  if (!parts.ok()) return parts.status();
  const absl::Status fits = CheckFit(folder, *parts);
  if (!fits.ok()) return fits;
  const Weights text = parts->text.weights;
  const Weights unet = parts->unet.weights;
  std::unique_ptr<const DiffusionModel> model(
      new DiffusionModel(*std::move(parts)));
  for (const absl::Status& status :
       {text.Finish(IgnoredTextTensors()), unet.Finish()}) {
    if (!status.ok()) return status;
  }
  // Others use it on streams of their own.
  DeviceStream::WaitForThisThread(placement.device);
  return model;
}

absl::StatusOr<std::unique_ptr<const DiffusionModel>> DiffusionModel::Load(
    const std::string& folder, const Placement& placement) {
  c10::InferenceMode inference;
  try {
    return LoadOrThrow(folder, placement);
  } catch (const std::exception&) {
    return StatusFromException(folder);
  }
}

absl::StatusOr<int64_t> DiffusionModel::WeightBytes(
    const std::string& folder, const Placement& placement) {
  const auto index = ReadModelIndex(folder);
  if (!index.ok()) return index.status();
  const at::Tensor example = at::empty(
      {1}, at::TensorOptions(placement.device).dtype(placement.dtype));
  int64_t elements = 0;
  std::vector<std::string> components = {LatentDecoder::kTinyFolder};
  for (const auto& component : index->components) {
    components.push_back(component.first);
  }
  for (const std::string& component : components) {
    const auto path = std::filesystem::path(folder) / component;
    const auto file = FindSafetensors(path.string());
    if (!file.ok()) continue;  // tokenizers and schedulers have none
    const auto opened = SafetensorsFile::Open(*file);
    if (!opened.ok()) return opened.status();
    for (const auto& [name, entry] : (*opened)->entries()) {
      if (!c10::isFloatingType(entry.dtype)) continue;
      elements += entry.elements();
      elements += Upsample2D::ElementsMade(name, entry.elements(), example);
    }
  }
  return elements * static_cast<int64_t>(c10::elementSize(placement.dtype));
}

int DiffusionModel::train_timesteps() const {
  const auto config = ParseSchedulerConfig(scheduler_, "DDIMScheduler");
  return config.ok() ? config->num_train_timesteps
                     : SchedulerConfig().num_train_timesteps;
}

at::Tensor DiffusionModel::EncodeTexts(const std::vector<std::string>& texts,
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

std::vector<KeyValues> DiffusionModel::ProjectContext(
    const at::Tensor& context) const {
  c10::InferenceMode inference;
  return unet_.ProjectContext(context);
}

at::Tensor DiffusionModel::Denoise(
    const at::Tensor& sample, const std::vector<float>& timesteps,
    const std::vector<KeyValues>& context) const {
  c10::InferenceMode inference;
  at::Tensor rows = sample.to(placement_.dtype);
  // The one wait of a step is for the prediction: pinned memory is copied while
  // the CPU goes on.
  if (!placement_.device.is_cpu()) {
    rows = rows.pin_memory().to(placement_.device, /*non_blocking=*/true);
  }
  const at::Tensor times = timestep_table_.Rows(timesteps);
  const at::Tensor prediction = recorded_unet_ == nullptr
                                    ? unet_.forward(rows, times, context)
                                    : recorded_unet_->Run(rows, times, context);
  return prediction.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace genzo
