#ifndef GENZO_GATEWAY_A1111_INPAINTING_H_
#define GENZO_GATEWAY_A1111_INPAINTING_H_

#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// The mask of an img2img body, with A1111's own defaults: the mask's edge is
// softened by 4 pixels, what it covers begins as the colours around it, and it
// alone is painted, as large as width x height. Without a mask the other fields
// that clients send with every body mean nothing.
void ReadA1111Mask(FieldReader& reader, v1::GenerateRequest& request);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_INPAINTING_H_
