#include "worker/codec/latent_decoder.h"

#include <filesystem>

#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"

namespace genzo {
namespace {

at::Tensor OnCpu(const at::Tensor& pixels) {
  return pixels.to(at::kCPU, at::kFloat).contiguous();
}

at::Tensor Decode(const AutoencoderKL& autoencoder, const at::Tensor& latents,
                  const Placement& placement) {
  const AutoencoderKLConfig& config = autoencoder.config();
  const at::Tensor unscaled =
      latents / config.scaling_factor + config.shift_factor;
  return OnCpu(
      autoencoder.decode(unscaled.to(placement.device, placement.dtype)));
}

}  // namespace

LatentDecoder::LatentDecoder(const ModelIndex& index,
                             const Placement& placement, const Vae& vae)
    : index_(index),
      placement_(placement),
      autoencoder_(vae.config, vae.weights),
      weight_bytes_(vae.weights.taken_bytes()) {}

absl::StatusOr<LatentDecoder::Vae> LatentDecoder::OpenVae(
    const ModelIndex& index, const Placement& placement) {
  return OpenComponent(index, "vae", "AutoencoderKL", ReadAutoencoderKLConfig,
                       placement);
}

absl::StatusOr<std::unique_ptr<const LatentDecoder>> LatentDecoder::Load(
    const ModelIndex& index, const Placement& placement) {
  const auto vae = OpenVae(index, placement);
  if (!vae.ok()) return vae.status();
  std::unique_ptr<LatentDecoder> decoder(
      new LatentDecoder(index, placement, *vae));
  absl::Status status = vae->weights.Finish();
  if (status.ok()) status = decoder->LoadTiny();
  if (status.ok()) status = decoder->LoadLinear();
  if (!status.ok()) return status;
  return std::unique_ptr<const LatentDecoder>(std::move(decoder));
}

absl::Status LatentDecoder::LoadTiny() {
  const auto folder = std::filesystem::path(index_.folder) / kTinyFolder;
  if (!std::filesystem::exists(folder)) return absl::OkStatus();
  const auto opened =
      OpenComponent(folder.string(), ReadAutoencoderTinyConfig, placement_);
  if (!opened.ok()) return opened.status();
  const AutoencoderTinyConfig& tiny = opened->config;
  if (tiny.latent_channels != config().latent_channels ||
      tiny.upsampling() != config().downsampling()) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder.string(), ": latent_channels ", tiny.latent_channels,
        " and upsampling ", tiny.upsampling(), " are not the autoencoder's ",
        config().latent_channels, " and ", config().downsampling()));
  }
  tiny_.emplace(tiny, opened->weights);
  weight_bytes_ += opened->weights.taken_bytes();
  return opened->weights.Finish();
}

absl::Status LatentDecoder::LoadLinear() {
  const auto file = std::filesystem::path(index_.folder) / "vae" / kLinearFile;
  if (!std::filesystem::exists(file)) {
    linear_ = LinearDecoder::Fit(
        config().latent_channels,
        [this](const at::Tensor& latents) { return Full(latents); });
    return absl::OkStatus();
  }
  auto read = LinearDecoder::ReadFile(file.string(), config().latent_channels);
  if (!read.ok()) return read.status();
  linear_ = *std::move(read);
  return absl::OkStatus();
}

at::Tensor LatentDecoder::Full(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  return Decode(autoencoder_, latents, placement_);
}

absl::StatusOr<at::Tensor> LatentDecoder::FullInFloat32(
    const at::Tensor& latents) const {
  c10::InferenceMode inference;
  const Placement placement = {.device = placement_.device,
                               .dtype = at::kFloat};
  const auto vae = OpenVae(index_, placement);
  if (!vae.ok()) return vae.status();
  const AutoencoderKL autoencoder(vae->config, vae->weights);
  const absl::Status finished = vae->weights.Finish();
  if (!finished.ok()) return finished;
  return Decode(autoencoder, latents, placement);
}

at::Tensor LatentDecoder::Tiny(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  return OnCpu(tiny_->decode(latents.to(placement_.device, placement_.dtype)));
}

at::Tensor LatentDecoder::Linear(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  return linear_->decode(latents);
}

}  // namespace genzo
