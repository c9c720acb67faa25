#ifndef GENZO_WORKER_PIPELINE_GUIDANCE_PHASES_H_
#define GENZO_WORKER_PIPELINE_GUIDANCE_PHASES_H_

#include "genzo/v1/image_generation.pb.h"
#include "worker/pipeline/stage.h"

namespace genzo {

// Divides a stage's walk as the request's `guidance` asks for: which steps have
// the unguided rows, which have one of a weaker network, and from where on what
// the text gave is kept. The stage has its denoiser, its prepared rows, the
// conditional one last, and the guidance of a step at which nothing is left
// out; `first_step` is where its walk begins in the request's steps. Nothing
// changes where the request asks for nothing.
void PlanPhases(const v1::GenerateRequest& request, int first_step,
                Stage& stage);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_GUIDANCE_PHASES_H_
