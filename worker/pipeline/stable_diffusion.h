#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/latent_decoder.h"
#include "worker/denoiser/recorded_denoiser.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/sampler/sampler_table.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/clip_tokenizer.h"
#include "worker/weights/component.h"

namespace genzo {

// A resident Stable Diffusion model: tokenizer, text encoder, denoiser,
// autoencoder and schedule (reference: diffusers' StableDiffusionPipeline).
// What it computes never changes; LibTorch's exceptions leave it as they are,
// so callers wrap it at their seam. Denoise is for one thread at a time, the
// decoder may run on another.
class DiffusionModel {
 public:
  // Reads a folder in the diffusers layout. Errors name file and tensor or key.
  static absl::StatusOr<std::unique_ptr<const DiffusionModel>> Load(
      const std::string& folder, const Placement& placement);

  // Bytes that the weights in `folder` will take, from the files' headers
  // alone.
  static absl::StatusOr<int64_t> WeightBytes(const std::string& folder,
                                             const Placement& placement);

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

  c10::ScalarType dtype() const { return placement_.dtype; }
  const c10::Device& device() const { return placement_.device; }
  // Kinds of evaluations that are replayed. For Denoise's thread.
  int recordings() const {
    return recorded_unet_ == nullptr ? 0 : recorded_unet_->recordings();
  }
  // Gives their memory back; they are made anew. For Denoise's thread.
  void ForgetRecordings() const {
    if (recorded_unet_ != nullptr) recorded_unet_->Forget();
  }
  const ClipTokenizer& tokenizer() const { return tokenizer_; }
  const LatentDecoder& decoder() const { return *decoder_; }
  const nlohmann::json& scheduler() const { return scheduler_; }
  SamplerId default_sampler() const { return default_sampler_; }
  // Timesteps that the model was trained with: no walk has more steps.
  int train_timesteps() const;
  int64_t latent_channels() const { return decoder_->config().latent_channels; }
  int64_t pixels_per_latent() const {
    return decoder_->config().downsampling();
  }
  int64_t default_side_pixels() const {
    return unet_.config().sample_size * pixels_per_latent();
  }
  int64_t text_layers() const { return text_layers_; }
  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  // What the folder holds, before modules are built from it.
  struct Parts;

  explicit DiffusionModel(Parts parts);
  static absl::StatusOr<Parts> ReadParts(const std::string& folder,
                                         const Placement& placement);
  // Whether the components fit each other.
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  static absl::StatusOr<std::unique_ptr<const DiffusionModel>> LoadOrThrow(
      const std::string& folder, const Placement& placement);

  const Placement placement_;
  const ClipTokenizer tokenizer_;
  const ClipTextEncoder text_encoder_;
  const UNet2DConditionModel unet_;
  mutable TimestepTable timestep_table_;  // thread-safe
  // Null on the CPU, which has nothing to launch, and where CUDA is without our
  // library.
  const std::unique_ptr<RecordedDenoiser> recorded_unet_;
  const std::unique_ptr<const LatentDecoder> decoder_;
  const nlohmann::json scheduler_;
  const SamplerId default_sampler_;
  const int64_t text_layers_;
  const int64_t weight_bytes_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_H_
