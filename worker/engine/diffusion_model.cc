#include "worker/engine/diffusion_model.h"

#include <exception>
#include <filesystem>
#include <set>

#include "ATen/TensorOperators.h"
#include "ATen/ops/adaptive_avg_pool2d.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/linalg_lstsq.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/upsample_bilinear2d.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/engine/exception_status.h"
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

std::string ConfigPath(const std::string& component_folder) {
  return (std::filesystem::path(component_folder) / "config.json").string();
}

// A component's configuration and weights, read but not yet checked together.
template <typename Config>
struct Component {
  Config config;
  Weights weights;
};

template <typename Config>
absl::StatusOr<Component<Config>> OpenComponent(
    const ModelIndex& index, const std::string& name,
    const std::string& class_name,
    absl::StatusOr<Config> (*read)(const std::string&),
    const Placement& placement) {
  const auto folder = index.Component(name, class_name);
  if (!folder.ok()) return folder.status();
  auto config = read(ConfigPath(*folder));
  if (!config.ok()) return config.status();
  auto weights = OpenWeights(*folder, placement.dtype, placement.device);
  if (!weights.ok()) return weights.status();
  return Component<Config>{*std::move(config), *std::move(weights)};
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

}  // namespace

struct DiffusionModel::Parts {
  std::string folder;
  Placement placement;
  ClipTokenizer tokenizer;
  Component<ClipTextConfig> text;
  Component<UNet2DConditionConfig> unet;
  Component<AutoencoderKLConfig> vae;
  nlohmann::json scheduler;
  SamplerId default_sampler;
};

DiffusionModel::DiffusionModel(const Parts& parts)
    : folder_(parts.folder),
      placement_(parts.placement),
      tokenizer_(parts.tokenizer),
      text_encoder_(parts.text.config, parts.text.weights),
      unet_(parts.unet.config, parts.unet.weights),
      timestep_table_(unet_),
      autoencoder_(parts.vae.config, parts.vae.weights),
      scheduler_(parts.scheduler),
      default_sampler_(parts.default_sampler),
      text_layers_(parts.text.config.num_hidden_layers),
      weight_bytes_(parts.text.weights.taken_bytes() +
                    parts.unet.weights.taken_bytes() +
                    parts.vae.weights.taken_bytes()) {}

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
  auto vae = OpenComponent(*index, "vae", "AutoencoderKL",
                           ReadAutoencoderKLConfig, placement);
  if (!vae.ok()) return vae.status();
  auto scheduler = ReadScheduler(*index);
  if (!scheduler.ok()) return scheduler.status();
  const auto sampler = DefaultSampler(*scheduler);
  if (!sampler.ok()) return sampler.status();
  return Parts{folder,
               placement,
               *std::move(tokenizer),
               *std::move(text),
               *std::move(unet),
               *std::move(vae),
               *std::move(scheduler),
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
  const int64_t channels = parts.vae.config.latent_channels;
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
  std::unique_ptr<DiffusionModel> model(new DiffusionModel(*parts));
  for (const absl::Status& status :
       {parts->text.weights.Finish(IgnoredTextTensors()),
        parts->unet.weights.Finish(), parts->vae.weights.Finish()}) {
    if (!status.ok()) return status;
  }
  model->FitLinearDecoder();
  return std::unique_ptr<const DiffusionModel>(std::move(model));
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

absl::StatusOr<int64_t> DiffusionModel::WeightBytes(const std::string& folder,
                                                    c10::ScalarType dtype) {
  const auto index = ReadModelIndex(folder);
  if (!index.ok()) return index.status();
  int64_t elements = 0;
  for (const auto& [component, class_name] : index->components) {
    const auto path = std::filesystem::path(folder) / component;
    const auto file = FindSafetensors(path.string());
    if (!file.ok()) continue;  // tokenizers and schedulers have none
    const auto opened = SafetensorsFile::Open(*file);
    if (!opened.ok()) return opened.status();
    for (const auto& [name, entry] : (*opened)->entries()) {
      if (c10::isFloatingType(entry.dtype)) elements += entry.elements();
    }
  }
  return elements * static_cast<int64_t>(c10::elementSize(dtype));
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
  return unet_
      .forward(sample.to(placement_.device, placement_.dtype),
               timestep_table_.Rows(timesteps), context)
      .to(at::kCPU, at::kFloat)
      .contiguous();
}

namespace {

at::Tensor Decode(const AutoencoderKL& autoencoder, const at::Tensor& latents,
                  const Placement& placement) {
  const AutoencoderKLConfig& config = autoencoder.config();
  const at::Tensor unscaled =
      latents / config.scaling_factor + config.shift_factor;
  return autoencoder.decode(unscaled.to(placement.device, placement.dtype))
      .to(at::kCPU, at::kFloat)
      .contiguous();
}

}  // namespace

at::Tensor DiffusionModel::DecodeFull(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  return Decode(autoencoder_, latents, placement_);
}

absl::StatusOr<at::Tensor> DiffusionModel::DecodeInFloat32(
    const at::Tensor& latents) const {
  c10::InferenceMode inference;
  const Placement placement = {.device = placement_.device,
                               .dtype = at::kFloat};
  const auto index = ReadModelIndex(folder_);
  if (!index.ok()) return index.status();
  const auto vae = OpenComponent(*index, "vae", "AutoencoderKL",
                                 ReadAutoencoderKLConfig, placement);
  if (!vae.ok()) return vae.status();
  const AutoencoderKL autoencoder(vae->config, vae->weights);
  const absl::Status finished = vae->weights.Finish();
  if (!finished.ok()) return finished;
  return Decode(autoencoder, latents, placement);
}

at::Tensor DiffusionModel::DecodeLinear(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  const at::Tensor places = latents.permute({0, 2, 3, 1});  // [B, h, w, C]
  const int64_t channels = latents.size(1);
  return (at::matmul(places, linear_decoder_.narrow(0, 0, channels)) +
          linear_decoder_[channels])
      .permute({0, 3, 1, 2});
}

void DiffusionModel::FitLinearDecoder() {
  // Pictures are smooth: a coarse pattern carries the colours, finer noise
  // keeps the regression well-posed.
  constexpr int64_t kSide = 16;
  SeededNoise noise(/*seed=*/1);
  const int64_t channels = latent_channels();
  const at::Tensor latents =
      at::upsample_bilinear2d(noise.Draw({1, channels, 4, 4}), {kSide, kSide},
                              /*align_corners=*/false) *
          1.5 +
      noise.Draw({1, channels, kSide, kSide}) * 0.3;
  const at::Tensor colours =
      at::adaptive_avg_pool2d(DecodeFull(latents), {kSide, kSide});
  const at::Tensor places = latents[0].flatten(1).t();  // [places, C]
  const at::Tensor inputs = at::cat({places, at::ones({kSide * kSide, 1})}, 1);
  linear_decoder_ = std::get<0>(at::linalg_lstsq(
      inputs, colours[0].flatten(1).t().contiguous()));  // [C + 1, 3]
}

}  // namespace genzo
