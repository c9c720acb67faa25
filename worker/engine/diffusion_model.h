#ifndef GENZO_WORKER_ENGINE_DIFFUSION_MODEL_H_
#define GENZO_WORKER_ENGINE_DIFFUSION_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "nlohmann/json.hpp"
#include "worker/model/autoencoder_kl.h"
#include "worker/model/timestep_table.h"
#include "worker/model/unet_2d_condition.h"
#include "worker/sampler/sampler_table.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/clip_tokenizer.h"

namespace genzo {

// Where a model lives and in which type it computes.
struct Placement {
  c10::Device device = c10::Device(c10::kCPU);
  c10::ScalarType dtype = c10::kFloat;
};

// A resident Stable Diffusion model: tokenizer, text encoder, denoiser,
// autoencoder and schedule (reference: diffusers' StableDiffusionPipeline).
// Immutable after Load; LibTorch's exceptions leave it as they are, so callers
// wrap it at their seam. Denoise and the Decode functions may run on different
// threads at once.
class DiffusionModel {
 public:
  // Reads a folder in the diffusers layout. Errors name file and tensor or key.
  static absl::StatusOr<std::unique_ptr<const DiffusionModel>> Load(
      const std::string& folder, const Placement& placement);

  // Bytes that the weights in `folder` will take in `dtype`, from the files'
  // headers alone.
  static absl::StatusOr<int64_t> WeightBytes(const std::string& folder,
                                             c10::ScalarType dtype);

  // Embeddings [texts, 77, D] in the model's type on its device, with the text
  // encoder's last `clip_skip` layers left out.
  at::Tensor EncodeTexts(const std::vector<std::string>& texts,
                         int64_t clip_skip) const;

  // What the denoiser's layers need of a context [rows, 77, D].
  std::vector<KeyValues> ProjectContext(const at::Tensor& context) const;

  // One evaluation. sample [B, C, H, W] float32 on the CPU, a timestep and a
  // row of the projected contexts each -> prediction [B, C, H, W] float32 on
  // the CPU.
  at::Tensor Denoise(const at::Tensor& sample,
                     const std::vector<float>& timesteps,
                     const std::vector<KeyValues>& context) const;

  // Latents [B, C, h, w] float32 on the CPU -> pixels [B, 3, H, W] float32 on
  // the CPU around [-1, 1]: by the autoencoder at `pixels_per_latent` times the
  // size, or by a linear map at the latents' own size.
  at::Tensor DecodeFull(const at::Tensor& latents) const;
  // DecodeFull in float32 whatever the model's type; reads the autoencoder's
  // weights anew.
  absl::StatusOr<at::Tensor> DecodeInFloat32(const at::Tensor& latents) const;
  at::Tensor DecodeLinear(const at::Tensor& latents) const;

  c10::ScalarType dtype() const { return placement_.dtype; }
  const ClipTokenizer& tokenizer() const { return tokenizer_; }
  const nlohmann::json& scheduler() const { return scheduler_; }
  SamplerId default_sampler() const { return default_sampler_; }
  // Timesteps that the model was trained with: no walk has more steps.
  int train_timesteps() const;
  int64_t latent_channels() const {
    return autoencoder_.config().latent_channels;
  }
  int64_t pixels_per_latent() const {
    return autoencoder_.config().downsampling();
  }
  int64_t default_side_pixels() const {
    return unet_.config().sample_size * pixels_per_latent();
  }
  int64_t text_layers() const { return text_layers_; }
  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  // What the folder holds, before modules are built from it.
  struct Parts;

  explicit DiffusionModel(const Parts& parts);
  static absl::StatusOr<Parts> ReadParts(const std::string& folder,
                                         const Placement& placement);
  // Whether the components fit each other.
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  static absl::StatusOr<std::unique_ptr<const DiffusionModel>> LoadOrThrow(
      const std::string& folder, const Placement& placement);

  // Fits DecodeLinear's map to DecodeFull by least squares on smooth latents.
  void FitLinearDecoder();

  const std::string folder_;
  const Placement placement_;
  const ClipTokenizer tokenizer_;
  const ClipTextEncoder text_encoder_;
  const UNet2DConditionModel unet_;
  mutable TimestepTable timestep_table_;  // thread-safe
  const AutoencoderKL autoencoder_;
  const nlohmann::json scheduler_;
  const SamplerId default_sampler_;
  const int64_t text_layers_;
  const int64_t weight_bytes_;
  at::Tensor linear_decoder_;  // [C + 1, 3] float32; the last row is the bias
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_DIFFUSION_MODEL_H_
