#ifndef GENZO_WORKER_PIPELINE_CONTROL_NETWORKS_H_
#define GENZO_WORKER_PIPELINE_CONTROL_NETWORKS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/denoiser/control_network.h"
#include "worker/weights/tensor_pool.h"

namespace genzo {

// Which denoisers the control network at `path`, a folder or a file, steers:
// those of equal PipelineTraits::control_fit. Reads headers alone. Errors, here
// and below, name the file and what is wrong with it. Never throws.
absl::StatusOr<std::string> ControlFitAt(const std::string& path);

// Bytes of memory that it takes, from headers alone.
absl::StatusOr<int64_t> ControlBytes(const std::string& path,
                                     const Placement& placement);

// The network, with weights that `pool` has where that is not null.
absl::StatusOr<std::shared_ptr<const ControlNetwork>> LoadControl(
    const std::string& path, const Placement& placement,
    std::shared_ptr<TensorPool> pool = nullptr);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_CONTROL_NETWORKS_H_
