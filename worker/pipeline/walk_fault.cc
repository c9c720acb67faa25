#include "worker/pipeline/walk_fault.h"

#include "base/errors.h"

namespace genzo {

absl::Status WalkFault(const v1::GenerateRequest& request,
                       const absl::Status& status) {
  return FaultOfField(!request.sigmas().empty()      ? "sigmas"
                      : !request.timesteps().empty() ? "timesteps"
                                                     : "steps",
                      status);
}

}  // namespace genzo
