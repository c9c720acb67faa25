#include "base/request_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace genzo {

StepRounding StepRoundingOf(const v1::Model& model) {
  const auto& samplers = model.samplers();
  const bool flow = std::any_of(
      samplers.begin(), samplers.end(), [](const v1::SamplerSupport& row) {
        return row.sampler() == v1::SAMPLER_FLOW_EULER;
      });
  return flow ? StepRounding::kUp : StepRounding::kDown;
}

int64_t StepsWalked(int64_t steps, double strength, StepRounding rounding) {
  const auto all = static_cast<double>(steps);
  const double walked = std::clamp(all * strength, 0.0, all);
  return rounding == StepRounding::kDown
             ? static_cast<int64_t>(walked)
             : steps - static_cast<int64_t>(all - walked);
}

int InversionSteps(const v1::GenerateRequest& request) {
  const v1::ImageToImage& start = request.image_to_image();
  return start.has_inversion()
             ? static_cast<int>(
                   StepsWalked(start.inversion().steps(), start.strength()))
             : 0;
}

int64_t StepsOfImage(const v1::GenerateRequest& request,
                     StepRounding rounding) {
  int64_t steps = request.steps();
  if (request.has_image_to_image()) {
    steps = StepsWalked(steps, request.image_to_image().strength(), rounding) +
            InversionSteps(request);
  }
  if (request.has_hires()) {
    const v1::HiresPass& hires = request.hires();
    steps += std::max<int64_t>(
        1, StepsWalked(hires.steps(), hires.strength(), rounding));
  }
  return steps;
}

uint32_t ImagesDrawn(const v1::GenerateRequest& request) {
  return std::max(request.image_count(), request.best_of().draw());
}

bool IsTenantName(absl::string_view name) {
  constexpr size_t kMaxBytes = 64;
  return !name.empty() && name.size() <= kMaxBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

}  // namespace genzo
