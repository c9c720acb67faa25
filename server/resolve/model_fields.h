#ifndef GENZO_SERVER_RESOLVE_MODEL_FIELDS_H_
#define GENZO_SERVER_RESOLVE_MODEL_FIELDS_H_

#include "base/config.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks the fields that only some models take against what `model` says that
// it does, and fills in their defaults.
void ResolveModelFields(const v1::Model& model, const RequestLimits& limits,
                        v1::GenerateRequest& request, Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_MODEL_FIELDS_H_
