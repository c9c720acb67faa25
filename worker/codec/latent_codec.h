#ifndef GENZO_WORKER_CODEC_LATENT_CODEC_H_
#define GENZO_WORKER_CODEC_LATENT_CODEC_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "worker/sampler/noise_source.h"

namespace genzo {

// Ways from an unfinished latent to pixels, from the cheapest.
enum class PreviewKind {
  kLinear,  // a linear map of each place; there always is one
  kTiny,    // a small decoder, where the model has one
  kFull,    // Decode()
};

// Where an encoder puts a picture: normal, independent in every element.
// [B, C, h, w] float32 on the CPU each, before the codec's scaling. Undefined:
// no picture.
struct LatentDistribution {
  at::Tensor mean;
  at::Tensor deviation;
  bool defined() const { return mean.defined(); }
};

// A model's way between pixels and latents as its denoiser knows them. Pixels
// are [B, 3, H, W] around [-1, 1], latents [B, C, h, w], both float32 on the
// CPU. Immutable; LibTorch's exceptions leave it as they are; any thread may
// call it.
class LatentCodec {
 public:
  virtual ~LatentCodec() = default;

  // Of pixels whose sides are multiples of pixels_per_latent().
  virtual LatentDistribution Encode(const at::Tensor& pixels) const = 0;
  // What the encoder gives, as the denoiser knows it.
  virtual at::Tensor Scale(const at::Tensor& encoded) const = 0;
  // One draw from it, scaled; takes noise of the latents' shape from `noise`.
  at::Tensor Sample(const LatentDistribution& distribution,
                    NoiseSource& noise) const;

  // Pixels at pixels_per_latent() times the size, not clamped. Latents too
  // large for the codec's type are decoded in float32; what is not finite then
  // was not finite before.
  virtual at::Tensor Decode(const at::Tensor& latents) const = 0;
  // Pixels of any size in proportion. `kind` is one that the model has.
  virtual at::Tensor Preview(const at::Tensor& denoised,
                             PreviewKind kind) const = 0;
  virtual bool has_tiny() const = 0;

  virtual int64_t latent_channels() const = 0;
  virtual int64_t pixels_per_latent() const = 0;
  virtual int64_t weight_bytes() const = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_LATENT_CODEC_H_
