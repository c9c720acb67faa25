#ifndef GENZO_WORKER_ENGINE_PREVIEW_PLAN_H_
#define GENZO_WORKER_ENGINE_PREVIEW_PLAN_H_

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Whether `plan` asks for a preview after `step` (from 1).
bool PreviewDue(const v1::PreviewPlan& plan, int step);

// LINEAR or FULL, for a preview after `step` of `steps`: AUTO shows the last
// third through the autoencoder, unless the device is `busy`.
v1::PreviewPlan::Decoder PreviewDecoder(const v1::PreviewPlan& plan, int step,
                                        int steps, bool busy);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_PREVIEW_PLAN_H_
