#include "base/request_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace genzo {

int64_t StepsWalked(int64_t steps, double strength) {
  const auto walked =
      static_cast<int64_t>(static_cast<double>(steps) * strength);
  return std::clamp<int64_t>(walked, 0, steps);
}

int InversionSteps(const v1::GenerateRequest& request) {
  const v1::ImageToImage& start = request.image_to_image();
  return start.has_inversion()
             ? static_cast<int>(
                   StepsWalked(start.inversion().steps(), start.strength()))
             : 0;
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
