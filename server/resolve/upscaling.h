#ifndef GENZO_SERVER_RESOLVE_UPSCALING_H_
#define GENZO_SERVER_RESOLVE_UPSCALING_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config.h"
#include "base/upscale_plan.h"
#include "base/upscaler_catalog.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "genzo/v1/upscaling.pb.h"

namespace genzo {

// Checks `hires` and `output.upscaler` of a request that ResolveRequest() has
// been through, fills in what was left out of `hires` and returns the size of
// the result. INVALID_ARGUMENT/INVALID_FIELD names all bad fields at once.
// Pure.
absl::StatusOr<PixelSize> ResolveEnlarging(const v1::Model& model,
                                           const UpscalerCatalog& upscalers,
                                           v1::GenerateRequest& request);

// An upscaling as it is queued.
struct ResolvedUpscaling {
  v1::UpscaleRequest request;  // every field filled in but the size's
  PixelSize result;
};

// Checks `request`, the head of its picture's file included, and fills in every
// optional field. Errors as for ResolveEnlarging(). Pure.
absl::StatusOr<ResolvedUpscaling> ResolveUpscaling(
    const v1::UpscaleRequest& request, const UpscalerCatalog& upscalers,
    const RequestLimits& limits);

}  // namespace genzo

#endif  // GENZO_SERVER_RESOLVE_UPSCALING_H_
