#include "server/resolve/model_fields.h"

#include "absl/strings/str_cat.h"
#include "base/request_rules.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

constexpr uint32_t kMaxToldPixels = 16384;
constexpr double kMaxAestheticScore = 10;
constexpr uint32_t kMaxNoiseLevel = 999;  // of any model
constexpr char kImageGuidance[] = "image_guidance_scale";

// Fields that only some models take, where they are set.
void CheckModelFields(const GenerateRequest& request, const v1::Model& model,
                      Violations& violations) {
  const v1::Refiner& refiner = request.refiner();
  const std::pair<const char*, bool> fields[] = {
      {"prompt_2", !request.prompt_2().empty()},
      {"negative_prompt_2", !request.negative_prompt_2().empty()},
      {"prompt_3", !request.prompt_3().empty()},
      {"negative_prompt_3", !request.negative_prompt_3().empty()},
      {"class_label", request.has_class_label()},
      {"true_guidance_scale", request.has_true_guidance_scale()},
      {"max_sequence_length", request.has_max_sequence_length()},
      {"size_conditioning", request.has_size_conditioning()},
      {"image_guidance_scale", request.has_image_guidance_scale()},
      {"noise_level", request.has_noise_level()},
      {"refiner.switch_at", refiner.has_switch_at()},
      {"refiner.aesthetic_score", refiner.has_aesthetic_score()},
      {"refiner.negative_aesthetic_score",
       refiner.has_negative_aesthetic_score()}};
  for (const auto& [field, is_set] : fields) {
    if (is_set) violations.CheckTaken(field, model);
  }
}

void CheckSizes(const std::string& field,
                const v1::SizeConditioning::Sizes& sizes,
                Violations& violations) {
  const std::pair<const char*, uint32_t> numbers[] = {
      {"original_width", sizes.original_width()},
      {"original_height", sizes.original_height()},
      {"crop_left", sizes.crop_left()},
      {"crop_top", sizes.crop_top()},
      {"target_width", sizes.target_width()},
      {"target_height", sizes.target_height()}};
  for (const auto& [name, value] : numbers) {
    violations.CheckRange(absl::StrCat("size_conditioning.", field, ".", name),
                          value, 0u, kMaxToldPixels);
  }
}

void ResolveRefiner(const v1::Model& model, GenerateRequest& request,
                    Violations& violations) {
  if (!request.has_refiner()) return;
  v1::Refiner& refiner = *request.mutable_refiner();
  if (!Takes(model, "refiner.aesthetic_score")) {
    return violations.Add("refiner",
                          absl::StrCat("refiner: model \"", model.id(),
                                       "\" is none and has none"));
  }
  if (!refiner.has_switch_at() && Takes(model, "refiner.switch_at")) {
    refiner.set_switch_at(kDefaultSwitchAt);
  }
  if (!refiner.has_aesthetic_score()) {
    refiner.set_aesthetic_score(kDefaultAestheticScore);
  }
  if (!refiner.has_negative_aesthetic_score()) {
    refiner.set_negative_aesthetic_score(kDefaultNegativeAestheticScore);
  }
  violations.CheckRange("refiner.switch_at", refiner.switch_at(), 0.0, 1.0);
  violations.CheckRange("refiner.aesthetic_score", refiner.aesthetic_score(),
                        0.0, kMaxAestheticScore);
  violations.CheckRange("refiner.negative_aesthetic_score",
                        refiner.negative_aesthetic_score(), 0.0,
                        kMaxAestheticScore);
}

}  // namespace

void ResolveModelFields(const v1::Model& model, const RequestLimits& limits,
                        v1::GenerateRequest& request, Violations& violations) {
  CheckModelFields(request, model, violations);
  violations.CheckText("prompt_2", request.prompt_2(), limits.max_prompt_bytes);
  violations.CheckText("negative_prompt_2", request.negative_prompt_2(),
                       limits.max_prompt_bytes);
  violations.CheckText("prompt_3", request.prompt_3(), limits.max_prompt_bytes);
  violations.CheckText("negative_prompt_3", request.negative_prompt_3(),
                       limits.max_prompt_bytes);
  violations.CheckRange("true_guidance_scale", request.true_guidance_scale(),
                        0.0, kMaxGuidanceScale);
  if (request.has_max_sequence_length()) {
    violations.CheckRange("max_sequence_length", request.max_sequence_length(),
                          1u, kMaxSequenceLength);
  }
  violations.CheckRange("noise_level", request.noise_level(), 0u,
                        kMaxNoiseLevel);
  CheckSizes("prompt", request.size_conditioning().prompt(), violations);
  CheckSizes("negative", request.size_conditioning().negative(), violations);
  ResolveRefiner(model, request, violations);
  if (!request.has_image_guidance_scale()) {
    if (model.tasks().empty() || !Takes(model, kImageGuidance)) return;
    request.set_image_guidance_scale(kDefaultImageGuidanceScale);
  }
  violations.CheckRange(kImageGuidance, request.image_guidance_scale(), 1.0,
                        kMaxGuidanceScale);
}

}  // namespace genzo
