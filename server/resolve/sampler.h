#ifndef GENZO_SERVER_RESOLVE_SAMPLER_H_
#define GENZO_SERVER_RESOLVE_SAMPLER_H_

#include "base/config.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Chooses sampler and schedule where the request does not, and checks them and
// their options against the model's. `steps` is resolved already.
void ResolveSampler(const v1::Model& model, v1::GenerateRequest& request,
                    Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_SAMPLER_H_
