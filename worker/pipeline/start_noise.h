#ifndef GENZO_WORKER_PIPELINE_START_NOISE_H_
#define GENZO_WORKER_PIPELINE_START_NOISE_H_

#include "worker/codec/latent_codec.h"
#include "worker/pipeline/pipeline.h"

namespace genzo {

// Goes from `low` to `high`, [1, C, h, w] both, by `share`, on the sphere that
// the columns of each lie on. Reference: slerp of A1111's modules/rng.py, which
// gives every column an angle of its own; columns that point the same way, or
// opposite ways, are mixed as they are.
at::Tensor MixNoise(double share, const at::Tensor& low,
                    const at::Tensor& high);

// `inner` in the middle of `outer`, [1, C, h, w] both of any size; what does
// not fit is left out. Reference: ImageRNG.first of the same file.
at::Tensor PlaceNoise(const at::Tensor& inner, const at::Tensor& outer);

// The noise that the image's walk begins at, of the latents' shape: the next
// draw of its source, or what the request's variation makes of it.
at::Tensor StartNoise(const ImageRequest& image, const LatentCodec& codec);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_START_NOISE_H_
