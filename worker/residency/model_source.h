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
  // Bytes of memory that the model will take, without loading it, and what of
  // them models that are loaded from here share.
  std::function<absl::StatusOr<ModelBytes>(const ModelFiles& model)> bytes;
  std::function<absl::StatusOr<ModelRef>(const ModelFiles& model)> load;
  // What the model is, without loading it: see DescribePipeline(). Null: a
  // model has to be loaded to be known.
  std::function<absl::StatusOr<ModelRef>(const ModelFiles& model)> describe =
      nullptr;
};

// Models on disk: folders and single files. They share what weights they can.
inline ModelSource FolderSource(const Placement& placement) {
  const auto pool = std::make_shared<TensorPool>(placement.device);
  return {.bytes =
              [placement](const ModelFiles& model) {
                return PipelineWeightBytes(model, placement);
              },
          .load = [placement,
                   pool](const ModelFiles& model) -> absl::StatusOr<ModelRef> {
            return LoadPipeline(model, placement, pool);
          },
          .describe =
              [placement](const ModelFiles& model) -> absl::StatusOr<ModelRef> {
            return DescribePipeline(model, placement);
          }};
}

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_SOURCE_H_
