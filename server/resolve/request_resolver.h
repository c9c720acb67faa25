#ifndef GENZO_SERVER_RESOLVE_REQUEST_RESOLVER_H_
#define GENZO_SERVER_RESOLVE_REQUEST_RESOLVER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "base/config.h"
#include "base/lora_catalog.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"

namespace genzo {

// Checks `request` against what `model` and `limits` allow and fills in every
// optional field, `drawn_seed` where it has no seed. INVALID_ARGUMENT names all
// bad fields at once, each with its value and its limit. Defaults that `model`
// does not tell yet are 25 steps and guidance 7.5. A picture to start from gets
// its digest and size beside it. `loras` tells which adapters there are; null:
// not asked. Pure.
absl::StatusOr<v1::GenerateRequest> ResolveRequest(
    const v1::GenerateRequest& request, const v1::Model& model,
    const RequestLimits& limits, uint64_t drawn_seed,
    const LoraCatalog* loras = nullptr);

// What on_disconnect and time_limit may be.
void CheckLife(const v1::GenerateRequest& request, Violations& violations);

// OK if `model` can take requests now: UNAVAILABLE/MODEL_LOADING with RetryInfo
// while it loads, FAILED_PRECONDITION/MODEL_FAILED if it could not.
absl::Status CheckModelState(const v1::Model& model);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_REQUEST_RESOLVER_H_
