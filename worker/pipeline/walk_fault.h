#ifndef GENZO_WORKER_PIPELINE_WALK_FAULT_H_
#define GENZO_WORKER_PIPELINE_WALK_FAULT_H_

#include "absl/status/status.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What a sampler finds wrong with its steps, as a fault of the field that says
// them: `sigmas` or `timesteps` if there are any, else `steps`. Other errors
// stay as they are.
absl::Status WalkFault(const v1::GenerateRequest& request,
                       const absl::Status& status);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_WALK_FAULT_H_
