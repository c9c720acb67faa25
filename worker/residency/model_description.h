#ifndef GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_
#define GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_

#include <map>
#include <string>

#include "base/config.h"
#include "genzo/v1/model_registry.pb.h"
#include "queue/load_board.h"
#include "worker/pipeline/stable_diffusion.h"
#include "worker/residency/step_profile.h"

namespace genzo {

// What the registry tells of a resident model: limits, samplers, speed.
v1::Model DescribeModel(const std::string& id, const DiffusionModel& model,
                        const StepProfile& profile, const Config& config);

// Of the samplers that `model` can use.
std::map<SamplerId, EvaluationCount> CountEvaluations(
    const DiffusionModel& model);

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_DESCRIPTION_H_
