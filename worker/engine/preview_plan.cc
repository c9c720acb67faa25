#include "worker/engine/preview_plan.h"

#include <algorithm>

namespace genzo {

bool PreviewDue(const v1::PreviewPlan& plan, int step) {
  const auto number = static_cast<uint32_t>(step);
  if (plan.every() > 0 && number % plan.every() == 0) return true;
  return std::find(plan.steps().begin(), plan.steps().end(), number) !=
         plan.steps().end();
}

PreviewKind PreviewDecoder(const v1::PreviewPlan& plan,
                           const PreviewMoment& moment) {
  switch (plan.decoder()) {
    case v1::PREVIEW_DECODER_LINEAR:
      return PreviewKind::kLinear;
    case v1::PREVIEW_DECODER_TINY:
      return PreviewKind::kTiny;
    case v1::PREVIEW_DECODER_FULL:
      return PreviewKind::kFull;
    default:
      break;
  }
  const bool rough = 3 * moment.step <= 2 * moment.steps;
  if (rough || moment.busy) return PreviewKind::kLinear;
  return moment.has_tiny ? PreviewKind::kTiny : PreviewKind::kFull;
}

PreviewKind FinalDecoder(const v1::OutputOptions& output, bool has_tiny) {
  return output.tiny_decoder() && has_tiny ? PreviewKind::kTiny
                                           : PreviewKind::kFull;
}

}  // namespace genzo
