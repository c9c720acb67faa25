#ifndef GENZO_WORKER_ENGINE_IMAGE_PARAMETERS_H_
#define GENZO_WORKER_ENGINE_IMAGE_PARAMETERS_H_

#include <cstdint>

#include "genzo/v1/image_generation.pb.h"
#include "worker/media/picture_text.h"

namespace genzo {

// The text that tells how an image was made: `parameters` in the form
// that web front ends of the field read back, and `Software`.
PictureText ImageParameters(const v1::GenerateRequest& request, uint64_t seed);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_IMAGE_PARAMETERS_H_
