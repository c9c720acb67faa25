#ifndef GENZO_GATEWAY_A1111_UPSCALING_H_
#define GENZO_GATEWAY_A1111_UPSCALING_H_

#include <vector>

#include "gateway/backend.h"
#include "gateway/json_body.h"
#include "gateway/router.h"
#include "genzo/v1/image_generation.pb.h"

// What A1111's clients call to make pictures larger.

namespace genzo {

// Reads enable_hr and the hr_ fields of a txt2img body. Faults go to `reader`.
void ReadHires(FieldReader& reader, v1::GenerateRequest& request);

// upscalers, latent-upscale-modes, extra-single-image and extra-batch-images.
// `backend` outlives their calls.
std::vector<Route> A1111UpscalingRoutes(Backend& backend);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_UPSCALING_H_
