#ifndef GENZO_SERVER_RESOLVE_CONTROLS_H_
#define GENZO_SERVER_RESOLVE_CONTROLS_H_

#include "base/config.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks `controls` and `image_prompts`, down to the headers of their pictures,
// against what `model` says that it takes, and fills in their defaults.
void ResolveControls(const v1::Model& model, const RequestLimits& limits,
                     v1::GenerateRequest& request, Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_CONTROLS_H_
