#ifndef GENZO_SERVER_RESOLVE_VARIATION_H_
#define GENZO_SERVER_RESOLVE_VARIATION_H_

#include <cstdint>

#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks what a request begins at besides its seed and its picture:
// `variation`, whose seed is filled in, and latents that are kept. `drawn_seed`
// is random.
void ResolveVariation(const v1::Model& model, uint64_t drawn_seed,
                      v1::GenerateRequest& request, Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_VARIATION_H_
