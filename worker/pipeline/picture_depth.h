#ifndef GENZO_WORKER_PIPELINE_PICTURE_DEPTH_H_
#define GENZO_WORKER_PIPELINE_PICTURE_DEPTH_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace genzo {

// What a depth-to-image U-Net sees beside its sample: `depth` [1, 1, H, W],
// resized to the latent and stretched to [-1, 1], zeros where it is the same
// everywhere (reference: prepare_depth_map of diffusers'
// StableDiffusionDepth2ImgPipeline). float32 [1, 1, height, width].
at::Tensor DepthBeside(const at::Tensor& depth, int64_t height, int64_t width);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_PICTURE_DEPTH_H_
