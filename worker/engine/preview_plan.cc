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

v1::PreviewPlan::Decoder PreviewDecoder(const v1::PreviewPlan& plan,
                                        const PreviewMoment& moment) {
  switch (plan.decoder()) {
    case v1::PreviewPlan::DECODER_LINEAR:
    case v1::PreviewPlan::DECODER_TINY:
    case v1::PreviewPlan::DECODER_FULL:
      return plan.decoder();
    default:
      break;
  }
  const bool rough = 3 * moment.step <= 2 * moment.steps;
  if (rough || moment.busy) return v1::PreviewPlan::DECODER_LINEAR;
  return moment.has_tiny ? v1::PreviewPlan::DECODER_TINY
                         : v1::PreviewPlan::DECODER_FULL;
}

}  // namespace genzo
