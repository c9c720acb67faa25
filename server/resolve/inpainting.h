#ifndef GENZO_SERVER_RESOLVE_INPAINTING_H_
#define GENZO_SERVER_RESOLVE_INPAINTING_H_

#include "base/config.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Whether a part of a picture, or what is around it, is painted.
inline bool PaintsAPart(const v1::GenerateRequest& request) {
  return request.has_inpainting() || request.has_outpainting();
}

// The width and height that such a request leaves out: its picture's with its
// borders, rounded down to what the model can paint. Nothing where no file
// tells, or only the masked part is painted: then they are the model's.
void FillSizeOfPart(const v1::Model& model, v1::GenerateRequest& request);

// Checks mask and borders, by the files' headers: that there is a picture which
// they are of, of the mask's size. Fills in what they leave out.
void ResolveInpainting(const v1::Model& model, const RequestLimits& limits,
                       v1::GenerateRequest& request, Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_INPAINTING_H_
