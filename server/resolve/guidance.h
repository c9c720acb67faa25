#ifndef GENZO_SERVER_RESOLVE_GUIDANCE_H_
#define GENZO_SERVER_RESOLVE_GUIDANCE_H_

#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks how prompts are read, and `guidance`, against what `model` takes.
// `steps` and the start are resolved already.
void CheckPromptSyntax(const v1::GenerateRequest& request,
                       const v1::Model& model, Violations& violations);
void CheckGuidance(const v1::GenerateRequest& request, const v1::Model& model,
                   Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_GUIDANCE_H_
