#ifndef GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_
#define GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_

#include <map>
#include <string>
#include <vector>

#include "base/config.h"
#include "genzo/v1/model_registry.pb.h"
#include "queue/model_speeds.h"
#include "worker/pipeline/pipeline.h"
#include "worker/text/embedding_library.h"

namespace genzo {

// What the registry tells of a resident model: tasks, limits, samplers,
// defaults.
v1::Model DescribeModel(const std::string& id, const Pipeline& model,
                        const Config& config);

// Says in the description which of the embeddings a model reads, whose text
// encoders have these widths. Whether that is other than it said.
bool NameEmbeddings(const std::vector<int64_t>& text_widths,
                    const EmbeddingLibrary& embeddings, v1::Model& description);

// Of the samplers that a model can use.
std::map<SamplerId, EvaluationCount> CountEvaluations(
    const PipelineTraits& traits);

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_
