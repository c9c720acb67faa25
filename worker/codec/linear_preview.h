#ifndef GENZO_WORKER_CODEC_LINEAR_PREVIEW_H_
#define GENZO_WORKER_CODEC_LINEAR_PREVIEW_H_

#include <cstdint>
#include <functional>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "worker/weights/text_file.h"

namespace genzo {

// A linear map from each place of a latent to a colour: the cheapest preview
// there is. Immutable; may be called by any thread.
class LinearPreview {
 public:
  // Factors that somebody fitted, from a JSON object with
  // "latent_rgb_factors", one [r, g, b] a latent channel, and
  // "latent_rgb_factors_bias", [r, g, b]. INVALID_ARGUMENT names file and key.
  static absl::StatusOr<LinearPreview> ReadFile(const TextFile& file,
                                                int64_t latent_channels);

  // Fits the map by least squares to what `decode`, latents [B, C, h, w] ->
  // pixels [B, 3, H, W], makes of smooth latents.
  static LinearPreview Fit(
      int64_t latent_channels,
      const std::function<at::Tensor(const at::Tensor&)>& decode);

  // Latents [B, C, h, w] float32 on the CPU, as the denoiser knows them ->
  // pixels [B, 3, h, w] float32, around [-1, 1].
  at::Tensor decode(const at::Tensor& latents) const;

 private:
  // factors [C + 1, 3] float32; the last row is the bias.
  explicit LinearPreview(at::Tensor factors) : factors_(std::move(factors)) {}

  at::Tensor factors_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_LINEAR_PREVIEW_H_
