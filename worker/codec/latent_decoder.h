#ifndef GENZO_WORKER_CODEC_LATENT_DECODER_H_
#define GENZO_WORKER_CODEC_LATENT_DECODER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/codec/linear_preview.h"
#include "worker/weights/component.h"

namespace genzo {

// A model's three ways from latents to pixels. Each takes latents [B, C, h, w]
// float32 on the CPU, as the denoiser knows them, and gives float32 on the CPU,
// around [-1, 1]. Immutable; LibTorch's exceptions leave it as they are; any
// thread may call it.
class LatentDecoder {
 public:
  // Folder of the small decoder beside the components that the index names,
  // and file of the linear map's factors beside the autoencoder's weights. A
  // model need have neither: then the map is fitted to the autoencoder.
  static constexpr char kTinyFolder[] = "tiny_vae";
  static constexpr char kLinearFile[] = "latent_rgb_factors.json";

  // Errors name file and tensor or key.
  static absl::StatusOr<std::unique_ptr<const LatentDecoder>> Load(
      const ModelIndex& index, const Placement& placement);

  // By the autoencoder: [B, 3, H, W] at `pixels_per_latent` times the size.
  at::Tensor Full(const at::Tensor& latents) const;
  // Full in float32 whatever the model's type; reads the weights anew.
  absl::StatusOr<at::Tensor> FullInFloat32(const at::Tensor& latents) const;
  // By the small decoder, at the same size; only where there is one.
  at::Tensor Tiny(const at::Tensor& latents) const;
  // By the linear map: [B, 3, h, w].
  at::Tensor Linear(const at::Tensor& latents) const;

  bool has_tiny() const { return tiny_.has_value(); }
  const AutoencoderKLConfig& config() const { return autoencoder_.config(); }
  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  using Vae = Component<AutoencoderKLConfig>;

  LatentDecoder(const ModelIndex& index, const Placement& placement,
                const Vae& vae);
  static absl::StatusOr<Vae> OpenVae(const ModelIndex& index,
                                     const Placement& placement);
  absl::Status LoadTiny();
  absl::Status LoadLinear();

  const ModelIndex index_;
  const Placement placement_;
  const AutoencoderKL autoencoder_;
  int64_t weight_bytes_;
  std::optional<AutoencoderTiny> tiny_;
  std::optional<LinearDecoder> linear_;  // set by Load
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_LATENT_DECODER_H_
