#ifndef GENZO_WORKER_RESIDENCY_MODEL_SOURCE_H_
#define GENZO_WORKER_RESIDENCY_MODEL_SOURCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {

// What a model in memory is: the one place of this folder that says so.
using LoadedModel = Pipeline;
using ModelRef = std::shared_ptr<const LoadedModel>;

// Where models come from. Called on the loading thread; what it throws fails
// the model.
struct ModelSource {
  // Bytes of memory that the model in the folder will take, without loading it.
  std::function<absl::StatusOr<int64_t>(const std::string& folder)> bytes;
  std::function<absl::StatusOr<ModelRef>(const std::string& folder)> load;
};

// Model folders on disk.
inline ModelSource FolderSource(const Placement& placement) {
  return {.bytes =
              [placement](const std::string& folder) {
                return PipelineWeightBytes(folder, placement);
              },
          .load = [placement](
                      const std::string& folder) -> absl::StatusOr<ModelRef> {
            return LoadPipeline(folder, placement);
          }};
}

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_SOURCE_H_
