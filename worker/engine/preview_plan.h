#ifndef GENZO_WORKER_ENGINE_PREVIEW_PLAN_H_
#define GENZO_WORKER_ENGINE_PREVIEW_PLAN_H_

#include "genzo/v1/image_generation.pb.h"
#include "worker/codec/latent_codec.h"

namespace genzo {

// Whether `plan` asks for a preview after `step` (from 1).
bool PreviewDue(const v1::PreviewPlan& plan, int step);

// What decides how a preview is decoded.
struct PreviewMoment {
  int step = 0;  // that was just done
  int steps = 0;
  bool busy = false;      // the device has no time for sharp previews
  bool has_tiny = false;  // the model has a small decoder
};

// What `plan` names, or by AUTO the sharpest that costs little, which is the
// linear map but for the last third of an idle device's pictures.
PreviewKind PreviewDecoder(const v1::PreviewPlan& plan,
                           const PreviewMoment& moment);

// Of the finished picture: the small one where the request names it.
PreviewKind FinalDecoder(const v1::OutputOptions& output, bool has_tiny);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_PREVIEW_PLAN_H_
