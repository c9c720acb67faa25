#ifndef GENZO_WORKER_PIPELINE_PIPELINE_TABLE_H_
#define GENZO_WORKER_PIPELINE_PIPELINE_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/pipeline/pipeline.h"
#include "worker/weights/model_bytes.h"
#include "worker/weights/model_index.h"

namespace genzo {

// One row of the table of pipelines.
struct PipelineSpec {
  const char* class_name;  // the reference class, as model_index.json names it
  absl::StatusOr<std::unique_ptr<const Pipeline>> (*load)(
      const ModelIndex& index, const Placement& placement);
  // What its weights will take, from the files' headers alone. An error
  // if small files of its networks are missing.
  absl::StatusOr<ModelBytes> (*weight_bytes)(const ModelIndex& index,
                                             const Placement& placement);
};

// All pipelines. A new family is a file pair and a row.
absl::Span<const PipelineSpec> Pipelines();

// Reads a folder in the diffusers layout or a single file. Errors name file and
// tensor or key; UNIMPLEMENTED a class that is not in the table. Never throws.
// Weights that `pool` has are not read again. PipelineWeightBytes() reads
// headers and small files alone, and refuses what these show to be broken:
// other models leave memory once it has answered.
absl::StatusOr<std::unique_ptr<const Pipeline>> LoadPipeline(
    const ModelFiles& model, const Placement& placement,
    std::shared_ptr<TensorPool> pool = nullptr);
absl::StatusOr<ModelBytes> PipelineWeightBytes(const ModelFiles& model,
                                               const Placement& placement);

// The same pipeline built of heads and small files alone, in milliseconds: its
// traits and names are those that it has once it is loaded, and what loading
// would say of missing or misshapen tensors is said. It must not compute and
// weighs nothing, whatever `placement` says of the device.
absl::StatusOr<std::unique_ptr<const Pipeline>> DescribePipeline(
    const ModelFiles& model, const Placement& placement);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_PIPELINE_TABLE_H_
