#ifndef GENZO_SERVER_RESOLVE_LORAS_H_
#define GENZO_SERVER_RESOLVE_LORAS_H_

#include "base/lora_catalog.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks GenerateRequest.loras and fills in their defaults. `catalog` tells
// which there are; null: not asked. A prompt that names an adapter as A1111's
// do, "<lora:NAME:0.8>", is refused with a word about the field.
void ResolveLoras(const v1::Model& model, const LoraCatalog* catalog,
                  v1::GenerateRequest& request, Violations& violations);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_LORAS_H_
