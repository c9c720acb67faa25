#ifndef GENZO_SERVER_RESOLVE_START_H_
#define GENZO_SERVER_RESOLVE_START_H_

#include "base/config.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// The width and height that a request leaves out which starts from a picture
// and paints all of it: in the picture's proportions, about as many pixels as
// the model's own size has. Nothing where the model starts from none, or one of
// them is given.
void FillSizeOfStart(const v1::Model& model, v1::GenerateRequest& request);

// Checks the picture to start from and fills in its digest and size; without
// one, that the model paints from a prompt alone.
void ResolveStart(const v1::Model& model, const RequestLimits& limits,
                  v1::GenerateRequest& request, Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_START_H_
