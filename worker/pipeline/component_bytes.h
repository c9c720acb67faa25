#ifndef GENZO_WORKER_PIPELINE_COMPONENT_BYTES_H_
#define GENZO_WORKER_PIPELINE_COMPONENT_BYTES_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/device/placement.h"
#include "worker/weights/model_bytes.h"
#include "worker/weights/model_index.h"

namespace genzo {

// Bytes that the weights of these components will take, from the files' headers
// alone; and those of the codec. Text encoders and the codec are parts that
// another model may hold, too, if the index gets a pool. An error, too, if a
// component lacks its config.json or a text encoder its tokenizer: whoever
// makes room for the model asks first.
absl::StatusOr<ModelBytes> ComponentBytes(
    const ModelIndex& index, absl::Span<const char* const> components,
    const Placement& placement);
absl::StatusOr<ModelBytes> CodecBytes(const ModelIndex& index,
                                      const Placement& placement);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_COMPONENT_BYTES_H_
