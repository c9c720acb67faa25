#ifndef GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_
#define GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_

#include <map>
#include <string>

#include "base/config.h"
#include "genzo/v1/model_registry.pb.h"
#include "queue/model_speeds.h"
#include "worker/pipeline/pipeline.h"

namespace genzo {

// What the registry tells of a resident model: tasks, limits, samplers,
// defaults, and those of `embeddings`, which may be null, that it reads.
v1::Model DescribeModel(const std::string& id, const Pipeline& model,
                        const Config& config,
                        const EmbeddingLibrary* embeddings = nullptr);

// Of the samplers that a model can use.
std::map<SamplerId, EvaluationCount> CountEvaluations(
    const PipelineTraits& traits);

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_
