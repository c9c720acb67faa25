#ifndef GENZO_WORKER_PIPELINE_IP_ADAPTER_H_
#define GENZO_WORKER_PIPELINE_IP_ADAPTER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/denoiser/prepared.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/media/pixels.h"
#include "worker/pipeline/pipeline.h"
#include "worker/vision/clip_image_processor.h"
#include "worker/vision/clip_vision_encoder.h"

namespace genzo {

// Reads pictures as a prompt for U-Nets (IP-Adapter, Ye et al.,
// arXiv:2308.06721; reference: diffusers' IPAdapterMixin): an image encoder, a
// projection to a few tokens (plain: of the picture's embedding; "plus": by a
// resampler of the encoder's last but one states), and keys and values of its
// own for every cross-attention layer. Immutable; any thread may call it.
class IpAdapter {
 public:
  // A safetensors file of the published layout (image_proj.*, ip_adapter.*),
  // with the image encoder in the folder "image_encoder" beside it or in
  // "../models". Errors, here and below, name the file and what is wrong.
  static absl::StatusOr<std::shared_ptr<const IpAdapter>> Load(
      const std::string& path, const Placement& placement);
  // Which U-Nets it is for, as PictureLayers::fit. Reads headers alone.
  static absl::StatusOr<std::string> FitAt(const std::string& path);
  // Bytes of memory that it takes, encoder and all, from headers alone.
  static absl::StatusOr<int64_t> BytesAt(const std::string& path,
                                         const Placement& placement);

  // A picture as the encoder takes it, for PictureInput: [1, 3, S, S] float32,
  // on the CPU, of the encoder's own size S.
  at::Tensor Process(const Pixels& pixels) const {
    return processor_.Process(pixels);
  }

  // Keys and values of every layer, in the order of the file, for `rows` rows,
  // of which the last sees the pictures, the others none: [rows, pictures *
  // tokens, D of the layer] each, of the placement's type on its device.
  std::vector<KeyValues> Project(absl::Span<const at::Tensor> pictures,
                                 int64_t rows) const;

  // Tokens [1, tokens, width] of one picture; undefined: of none.
  at::Tensor Tokens(const at::Tensor& picture) const;

 private:
  struct Sizes;

  // Attention of a few latents to a picture's states (diffusers'
  // IPAdapterPlusImageProjection).
  class Resampler {
   public:
    Resampler(const Weights& weights, const Sizes& sizes);
    at::Tensor forward(const at::Tensor& states) const;  // [1, L, states]

   private:
    struct Block {
      Block(const Weights& weights, const Sizes& sizes);
      at::Tensor forward(const at::Tensor& x, const at::Tensor& latents) const;

      LayerNorm norm1, norm2;
      Linear to_q, to_kv, to_out;
      LayerNorm ff_norm;
      Linear ff_in, ff_out;
      int64_t heads;
    };

    at::Tensor latents_;  // [1, tokens, width]
    Linear proj_in_;
    std::vector<Block> blocks_;
    Linear proj_out_;
    LayerNorm norm_out_;
  };
  struct Layer {
    Linear to_k, to_v;
  };

  IpAdapter(const Sizes& sizes, const Weights& weights,
            ClipVisionEncoder encoder, ClipImageProcessor processor);
  static absl::StatusOr<Sizes> ReadSizes(const std::string& path);

  const ClipVisionEncoder encoder_;
  const ClipImageProcessor processor_;
  const int64_t width_;  // of a token
  // One of them.
  std::optional<Linear> proj_;
  std::optional<LayerNorm> norm_;
  std::optional<Resampler> resampler_;
  std::vector<Layer> layers_;
};

// Lets requests name image prompts, if adapters fit.
void TakePictures(const PictureLayers& layers, PipelineTraits& traits);

// `prepared` with what its rows see of the pictures; `order` is
// PictureLayers::order. Unchanged where there are none.
PreparedRef WithPictures(PreparedRef prepared,
                         absl::Span<const PictureInput> inputs,
                         const std::vector<size_t>& order);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_IP_ADAPTER_H_
