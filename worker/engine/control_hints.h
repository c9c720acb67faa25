#ifndef GENZO_WORKER_ENGINE_CONTROL_HINTS_H_
#define GENZO_WORKER_ENGINE_CONTROL_HINTS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/media/masked_canvas.h"
#include "worker/pipeline/pipeline.h"
#include "worker/residency/side_networks.h"

namespace genzo {

// What a task's controls are to follow: pictures read, fitted to the request's
// size and made hints by their preprocessors, and networks that fit a
// model of `traits`, in memory. Of pictures beside a `canvas` it is the part
// that is painted of it; null: there is none. INVALID_ARGUMENT/INVALID_FIELD
// and NOT_FOUND name the field. May take as long as reading the networks does.
absl::StatusOr<std::vector<ControlHint>> ReadControlHints(
    const EncodeTask& task, const PipelineTraits& traits,
    const MaskedCanvas* canvas, SideNetworks* networks);

// The same of its image prompts: pictures read, adapters in memory.
absl::StatusOr<std::vector<PictureInput>> ReadImagePrompts(
    const v1::GenerateRequest& request, const PipelineTraits& traits,
    SideNetworks* networks);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_CONTROL_HINTS_H_
