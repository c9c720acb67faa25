#ifndef GENZO_WORKER_CODEC_AUTOENCODER_KL_CODEC_H_
#define GENZO_WORKER_CODEC_AUTOENCODER_KL_CODEC_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/codec/latent_codec.h"
#include "worker/codec/linear_preview.h"
#include "worker/weights/component.h"

namespace genzo {

// The codec of latent diffusion: an AutoencoderKL, beside it a linear map and,
// where the model has one, a small decoder. Latents of Stable Diffusion 3 and
// FLUX are shifted as well as scaled, those of an SDXL whose file has their
// statistics (Playground 2.5) are normalised channel by channel before.
class AutoencoderKLCodec : public LatentCodec {
 public:
  // Folder of the small decoder beside the components that the index names,
  // and file of the linear map's factors beside the autoencoder's weights. A
  // model need have neither: then the map is fitted to the autoencoder.
  static constexpr char kTinyFolder[] = "tiny_vae";
  static constexpr char kLinearFile[] = "latent_rgb_factors.json";

  // Where a model of `placement` has its autoencoder: in float32 one that is
  // said to overflow float16 (`force_upcast`), so that no picture waits for it
  // to be read again. bfloat16 has room enough.
  static absl::StatusOr<Placement> PlacementOf(const ModelIndex& index,
                                               const Placement& placement);

  // One that another model of the index's pool has already, if it has the same
  // files. Errors name file and tensor or key.
  static absl::StatusOr<std::shared_ptr<const AutoencoderKLCodec>> Load(
      const ModelIndex& index, const Placement& placement);

  // Mean and deviation of the posterior (arXiv:2112.10752, appendix G). As
  // Decode() of pictures, again in float32 where the type's range is too small.
  LatentDistribution Encode(const at::Tensor& pixels) const override;
  at::Tensor Scale(const at::Tensor& encoded) const override;
  at::Tensor Decode(const at::Tensor& latents) const override;
  at::Tensor Preview(const at::Tensor& denoised,
                     PreviewKind kind) const override;

  bool has_tiny() const override { return tiny_.has_value(); }
  int64_t latent_channels() const override { return config().latent_channels; }
  int64_t pixels_per_latent() const override { return config().downsampling(); }
  int64_t weight_bytes() const override { return weight_bytes_; }
  const AutoencoderKLConfig& config() const { return autoencoder_.config(); }

 private:
  using Vae = Component<AutoencoderKLConfig>;

  AutoencoderKLCodec(const ModelIndex& index, const Placement& placement,
                     const Vae& vae);
  static absl::StatusOr<std::shared_ptr<const AutoencoderKLCodec>> LoadOwn(
      const ModelIndex& index, const Placement& placement);
  static absl::StatusOr<Vae> OpenVae(const ModelIndex& index,
                                     const Placement& placement);
  // Small decoders are made for any type.
  absl::Status LoadTiny(const Placement& placement);
  absl::Status LoadLinear();
  // INVALID_ARGUMENT if no picture comes out whatever the type.
  absl::Status FitLinear();
  // One way through the autoencoder, from and to float32 on the CPU.
  using Pass = at::Tensor (*)(const AutoencoderKL& autoencoder,
                              const at::Tensor& input,
                              const Placement& placement);
  // `pass` of the rows of `input`; those that are not finite go through it
  // once more in float32.
  at::Tensor InRange(Pass pass, const at::Tensor& input) const;
  // Made when it is first needed, and kept.
  std::shared_ptr<const AutoencoderKL> InFloat32() const
      ABSL_LOCKS_EXCLUDED(mutex_);

  const ModelIndex index_;
  const Placement placement_;
  const AutoencoderKL autoencoder_;
  mutable std::atomic<int64_t> weight_bytes_;
  std::optional<AutoencoderTiny> tiny_;
  Placement tiny_placement_;
  std::optional<LinearPreview> linear_;  // set by Load
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const AutoencoderKL> in_float32_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_AUTOENCODER_KL_CODEC_H_
