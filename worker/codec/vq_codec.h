#ifndef GENZO_WORKER_CODEC_VQ_CODEC_H_
#define GENZO_WORKER_CODEC_VQ_CODEC_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/latent_codec.h"
#include "worker/codec/linear_preview.h"
#include "worker/weights/component.h"

namespace genzo {

// Sizes of a VQModel, from its config.json.
struct VqModelConfig {
  AutoencoderKLConfig blocks;  // latent_channels are those before quantization
  int64_t codes = 256;
  int64_t code_width = 3;  // channels of the latents that a denoiser knows
};

// UNIMPLEMENTED or INVALID_ARGUMENT name file, key and value.
absl::StatusOr<VqModelConfig> ReadVqModelConfig(const TextFile& file);

// The codec of latent diffusion's first models: an autoencoder whose decoder
// sees each place as the nearest of a few learned codes (reference: diffusers'
// VQModel). It puts a picture at a point: the deviation of Encode() is zero.
class VqCodec : public LatentCodec {
 public:
  // Of the component `name`. Errors name file and tensor or key.
  static absl::StatusOr<std::unique_ptr<const VqCodec>> Load(
      const ModelIndex& index, const std::string& name,
      const Placement& placement);

  LatentDistribution Encode(const at::Tensor& pixels) const override;
  at::Tensor Scale(const at::Tensor& encoded) const override;
  at::Tensor Decode(const at::Tensor& latents) const override;
  at::Tensor Preview(const at::Tensor& denoised,
                     PreviewKind kind) const override;

  // Unscaled latents [B, C, h, w] float32 -> the number of the nearest code of
  // each place [B, h, w], int64, on the CPU. A row's do not depend on others.
  at::Tensor NearestCodes(const at::Tensor& latents) const;
  // Numbers [B, h, w] of codes -> the codes [B, C, h, w], float32.
  at::Tensor CodesAt(const at::Tensor& numbers) const;

  bool has_tiny() const override { return false; }
  int64_t latent_channels() const override { return config_.code_width; }
  int64_t pixels_per_latent() const override {
    return config_.blocks.downsampling();
  }
  int64_t weight_bytes() const override { return weight_bytes_; }

 private:
  VqCodec(const VqModelConfig& config, const Weights& weights,
          const Placement& placement);

  const VqModelConfig config_;
  const Placement placement_;
  const autoencoder::Encoder encoder_;
  const Conv2d quant_conv_;
  const at::Tensor codebook_;  // [codes, code_width] float32 on the CPU
  const Conv2d post_quant_conv_;
  const autoencoder::Decoder decoder_;
  const int64_t weight_bytes_;
  std::optional<LinearPreview> linear_;  // set by Load
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_VQ_CODEC_H_
