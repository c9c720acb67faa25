#include "worker/engine/preview_plan.h"

#include <algorithm>

namespace genzo {

bool PreviewDue(const v1::PreviewPlan& plan, int step) {
  if (plan.every() > 0 && step % static_cast<int>(plan.every()) == 0) {
    return true;
  }
  return std::find(plan.steps().begin(), plan.steps().end(),
                   static_cast<uint32_t>(step)) != plan.steps().end();
}

v1::PreviewPlan::Decoder PreviewDecoder(const v1::PreviewPlan& plan, int step,
                                        int steps, bool busy) {
  switch (plan.decoder()) {
    case v1::PreviewPlan::DECODER_LINEAR:
    case v1::PreviewPlan::DECODER_FULL:
      return plan.decoder();
    default:
      return 3 * step > 2 * steps && !busy ? v1::PreviewPlan::DECODER_FULL
                                           : v1::PreviewPlan::DECODER_LINEAR;
  }
}

}  // namespace genzo
