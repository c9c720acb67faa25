#include "base/request_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace genzo {
namespace {

// Of a pass that begins at a picture: one at least.
int StepsFromPicture(int64_t steps, double strength, StepRounding rounding) {
  return std::max(1, static_cast<int>(StepsWalked(steps, strength, rounding)));
}

}  // namespace

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

int StepsOfPass(const v1::GenerateRequest& request, StepRounding rounding) {
  return request.has_image_to_image()
             ? StepsFromPicture(request.steps(),
                                request.image_to_image().strength(), rounding)
             : static_cast<int>(request.steps());
}

int StepsOfSecondPass(const v1::GenerateRequest& request,
                      StepRounding rounding) {
  const v1::HiresPass& second = request.hires();
  return request.has_hires()
             ? StepsFromPicture(second.steps(), second.strength(), rounding)
             : 0;
}

int StepsOfImage(const v1::GenerateRequest& request, StepRounding rounding) {
  return InversionSteps(request) + StepsOfPass(request, rounding) +
         StepsOfSecondPass(request, rounding);
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

bool IsUuid(absl::string_view text) {
  constexpr size_t kBytes = 36;
  if (text.size() != kBytes) return false;
  for (size_t i = 0; i < kBytes; ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : !absl::ascii_isxdigit(text[i])) return false;
  }
  return true;
}

}  // namespace genzo
