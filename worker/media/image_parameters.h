#ifndef GENZO_WORKER_MEDIA_IMAGE_PARAMETERS_H_
#define GENZO_WORKER_MEDIA_IMAGE_PARAMETERS_H_

#include <cstdint>

#include "base/pictures/picture_text.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// The text that tells how an image was made: `parameters` in the form that
// AUTOMATIC1111's web UI and its kin read back, and `Software`. `request` is
// as resolved, with every default in its place. Numbers have all digits that
// bring back the same double.
// Where their terms differ from ours, theirs are written:
//
//   clip_skip 1 is "Clip skip: 2" (0 is not written), SAMPLER_PNDM is "PLMS",
//   eta is "Eta DDIM", strength is "Denoising strength", and "RNG: CPU" says
//   that noise comes from the CPU's generator.
//
// `image_index` tells variations of one seed apart. Thread-safe.
PictureText ImageParameters(const v1::GenerateRequest& request, uint64_t seed,
                            uint64_t image_index = 0);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_IMAGE_PARAMETERS_H_
