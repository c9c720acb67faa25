#include "worker/codec/autoencoder_kl_codec.h"

#include <filesystem>
#include <set>
#include <string>

#include "ATen/TensorOperators.h"
#include "ATen/ops/chunk.h"
#include "ATen/ops/clamp.h"
#include "ATen/ops/exp.h"
#include "ATen/ops/isfinite.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"

namespace genzo {
namespace {

// Of SDXL, for whose scaled latents its small decoder was trained.
constexpr double kSdxlScalingFactor = 0.13025;

// What trainers leave in files: what the loss was computed with, averages.
std::set<std::string> UnreadTensors() { return {"loss.", "model_ema."}; }

// The reference's pipelines of U-Nets and of DiT do not look at shift_factor,
// whatever the file says.
bool Shifts(const ModelIndex& index) {
  return absl::StartsWith(index.pipeline_class, "StableDiffusion3") ||
         absl::StartsWith(index.pipeline_class, "Flux");
}

// And only those of SDXL look at the latents' statistics.
bool Normalises(const ModelIndex& index) {
  return absl::StartsWith(index.pipeline_class, "StableDiffusionXL");
}

const char* KindOf(const ModelIndex& index) {
  if (Shifts(index)) return "shifting codec";
  return Normalises(index) ? "normalising codec" : "codec";
}

// [1, C, 1, 1], to go with latents.
at::Tensor OfChannels(const std::vector<float>& values) {
  return at::tensor(at::ArrayRef<float>(values)).view({1, -1, 1, 1});
}

at::Tensor Unscaled(const AutoencoderKLConfig& config,
                    const at::Tensor& latents) {
  if (config.latents_std.empty()) {
    return latents / config.scaling_factor + config.shift_factor;
  }
  return latents * OfChannels(config.latents_std) / config.scaling_factor +
         OfChannels(config.latents_mean);
}

// What the small decoder takes; it knows nothing of statistics.
at::Tensor ForTiny(const AutoencoderKLConfig& config,
                   const at::Tensor& latents) {
  return config.latents_std.empty()
             ? latents
             : Unscaled(config, latents) * kSdxlScalingFactor;
}

at::Tensor OnCpu(const at::Tensor& pixels) {
  return pixels.to(at::kCPU, at::kFloat).contiguous();
}

at::Tensor EncodeWith(const AutoencoderKL& autoencoder,
                      const at::Tensor& pixels, const Placement& placement) {
  return OnCpu(
      autoencoder.encode(pixels.to(placement.device, placement.dtype)));
}

at::Tensor DecodeWith(const AutoencoderKL& autoencoder,
                      const at::Tensor& latents, const Placement& placement) {
  const at::Tensor unscaled = Unscaled(autoencoder.config(), latents);
  return OnCpu(
      autoencoder.decode(unscaled.to(placement.device, placement.dtype)));
}

}  // namespace

AutoencoderKLCodec::AutoencoderKLCodec(const ModelIndex& index,
                                       const Placement& placement,
                                       const Vae& vae)
    : index_(index),
      placement_(placement),
      autoencoder_(vae.config, vae.weights),
      weight_bytes_(vae.weights.taken_bytes()) {}

absl::StatusOr<Placement> AutoencoderKLCodec::PlacementOf(
    const ModelIndex& index, const Placement& placement) {
  const auto folder = index.Component("vae", "AutoencoderKL");
  if (!folder.ok()) return folder.status();
  const auto config = ReadAutoencoderKLConfig(folder->At("config.json"));
  if (!config.ok()) return config.status();
  Placement own = placement;
  if (config->force_upcast && own.dtype == at::kHalf) own.dtype = at::kFloat;
  return own;
}

absl::StatusOr<AutoencoderKLCodec::Vae> AutoencoderKLCodec::OpenVae(
    const ModelIndex& index, const Placement& placement) {
  auto vae = OpenComponent(index, "vae", "AutoencoderKL",
                           ReadAutoencoderKLConfig, placement);
  if (!vae.ok()) return vae;
  if (!Shifts(index)) vae->config.shift_factor = 0;
  if (!Normalises(index)) {
    vae->config.latents_mean.clear();
    vae->config.latents_std.clear();
  }
  return vae;
}

absl::StatusOr<std::shared_ptr<const AutoencoderKLCodec>>
AutoencoderKLCodec::Load(const ModelIndex& index, const Placement& placement) {
  std::vector<std::string> names = {"vae"};
  if (std::filesystem::exists(index.FilesOf(kTinyFolder).path())) {
    names.push_back(kTinyFolder);
  }
  return index.ShareOf<AutoencoderKLCodec>(
      KindOf(index), names, placement,
      [&] { return LoadOwn(index, placement); });
}

absl::StatusOr<std::shared_ptr<const AutoencoderKLCodec>>
AutoencoderKLCodec::LoadOwn(const ModelIndex& index,
                            const Placement& placement) {
  const auto own = PlacementOf(index, placement);
  if (!own.ok()) return own.status();
  const auto vae = OpenVae(index, *own);
  if (!vae.ok()) return vae.status();
  std::unique_ptr<AutoencoderKLCodec> codec(
      new AutoencoderKLCodec(index, *own, *vae));
  absl::Status status = vae->weights.Finish(UnreadTensors());
  if (status.ok()) status = codec->LoadTiny(placement);
  if (status.ok()) status = codec->LoadLinear();
  if (!status.ok()) return status;
  return std::shared_ptr<const AutoencoderKLCodec>(std::move(codec));
}

absl::Status AutoencoderKLCodec::LoadTiny(const Placement& placement) {
  tiny_placement_ = placement;
  const ComponentFiles files = index_.FilesOf(kTinyFolder);
  if (!std::filesystem::exists(files.path())) return absl::OkStatus();
  const auto opened =
      OpenComponent(files, ReadAutoencoderTinyConfig, placement);
  if (!opened.ok()) return opened.status();
  const AutoencoderTinyConfig& tiny = opened->config;
  if (tiny.latent_channels != config().latent_channels ||
      tiny.upsampling() != config().downsampling()) {
    return absl::InvalidArgumentError(absl::StrCat(
        files.path(), ": latent_channels ", tiny.latent_channels,
        " and upsampling ", tiny.upsampling(), " are not the autoencoder's ",
        config().latent_channels, " and ", config().downsampling()));
  }
  tiny_.emplace(tiny, opened->weights);
  weight_bytes_ += opened->weights.taken_bytes();
  return opened->weights.Finish();
}

absl::Status AutoencoderKLCodec::LoadLinear() {
  const TextFile file = index_.FilesOf("vae").At(kLinearFile);
  if (!file.Exists()) return FitLinear();
  auto read = LinearPreview::ReadFile(file, config().latent_channels);
  if (!read.ok()) return read.status();
  linear_ = *std::move(read);
  return absl::OkStatus();
}

absl::Status AutoencoderKLCodec::FitLinear() {
  bool is_finite = true;
  linear_ = LinearPreview::Fit(
      config().latent_channels, [&](const at::Tensor& latents) {
        const at::Tensor pixels = Decode(latents);
        is_finite = at::isfinite(pixels).all().item<bool>();
        // Least squares of what is not would end in LAPACK.
        return is_finite ? pixels : at::zeros_like(pixels);
      });
  if (is_finite) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(index_.FilesOf("vae").path(),
                   ": latents are decoded to infinity or NaN, in float32 too"));
}

LatentDistribution AutoencoderKLCodec::Encode(const at::Tensor& pixels) const {
  c10::InferenceMode inference;
  const at::Tensor moments = InRange(EncodeWith, pixels);
  const auto halves = moments.chunk(2, /*dim=*/1);  // mean, log variance
  return {.mean = halves[0],
          .deviation = at::exp(0.5 * at::clamp(halves[1], -30.0, 20.0))};
}

at::Tensor AutoencoderKLCodec::Scale(const at::Tensor& encoded) const {
  const AutoencoderKLConfig& own = config();
  if (own.latents_std.empty()) {
    return (encoded - own.shift_factor) * own.scaling_factor;
  }
  return (encoded - OfChannels(own.latents_mean)) * own.scaling_factor /
         OfChannels(own.latents_std);
}

at::Tensor AutoencoderKLCodec::Decode(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  return InRange(DecodeWith, latents);
}

at::Tensor AutoencoderKLCodec::InRange(Pass pass,
                                       const at::Tensor& input) const {
  at::Tensor output = pass(autoencoder_, input, placement_);
  if (placement_.dtype == at::kFloat) return output;
  for (int64_t i = 0; i < output.size(0); ++i) {
    const at::Tensor row = output.narrow(0, i, 1);
    if (at::isfinite(row).all().item<bool>()) continue;
    row.copy_(pass(*InFloat32(), input.narrow(0, i, 1),
                   {.device = placement_.device, .dtype = at::kFloat}));
  }
  return output;
}

std::shared_ptr<const AutoencoderKL> AutoencoderKLCodec::InFloat32() const {
  absl::MutexLock lock(&mutex_);
  if (in_float32_ != nullptr) return in_float32_;
  const auto vae =
      OpenVae(index_, {.device = placement_.device, .dtype = at::kFloat});
  absl::Status status = vae.status();
  if (status.ok()) {
    in_float32_ =
        std::make_shared<const AutoencoderKL>(vae->config, vae->weights);
    status = vae->weights.Finish(UnreadTensors());
  }
  if (!status.ok()) {
    in_float32_ = nullptr;
    TORCH_CHECK(false, "the autoencoder in float32: ", status.ToString());
  }
  weight_bytes_ += vae->weights.taken_bytes();
  return in_float32_;
}

at::Tensor AutoencoderKLCodec::Preview(const at::Tensor& denoised,
                                       PreviewKind kind) const {
  c10::InferenceMode inference;
  switch (kind) {
    case PreviewKind::kLinear:
      return linear_->decode(denoised);
    case PreviewKind::kTiny:
      return OnCpu(tiny_->decode(
          ForTiny(config(), denoised)
              .to(tiny_placement_.device, tiny_placement_.dtype)));
    case PreviewKind::kFull:
      break;
  }
  return Decode(denoised);
}

}  // namespace genzo
