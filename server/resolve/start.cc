#include "server/resolve/start.h"

#include <algorithm>
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/pictures/picture_probe.h"
#include "base/request_rules.h"
#include "base/shortest_digits.h"
#include "server/resolve/inpainting.h"

namespace genzo {
namespace {

constexpr double kDefaultStrength = 0.8;
constexpr char kStrength[] = "image_to_image.strength";
constexpr char kInversion[] = "image_to_image.inversion";

// Borders show nothing that a walk could begin at, and models that see a mask
// were trained to begin at noise.
bool PaintsAnew(const v1::GenerateRequest& request, const v1::Model& model) {
  const auto& tasks = model.tasks();
  return request.has_outpainting() ||
         (tasks.size() == 1 && tasks[0] == v1::TASK_INPAINTING);
}

// Whether it follows a picture whole. One that takes none has no such rule.
bool FollowsAPicture(const v1::Model& model) {
  return !Takes(model, kStrength) &&
         absl::c_any_of(model.tasks(), [](int task) {
           return task != v1::TASK_TEXT_TO_IMAGE;
         });
}

void ResolveInversion(const v1::Model& model, const RequestLimits& limits,
                      v1::GenerateRequest& request, Violations& violations) {
  violations.CheckTaken(kInversion, model);
  for (const auto& [field, is_set] :
       {std::pair("inpainting", request.has_inpainting()),
        std::pair("outpainting", request.has_outpainting()),
        std::pair("variation", request.has_variation())}) {
    if (!is_set) continue;
    violations.Add(kInversion,
                   absl::StrCat(kInversion, " does not go with ", field));
  }
  const double strength = request.image_to_image().strength();
  v1::ImageToImage::Inversion& inversion =
      *request.mutable_image_to_image()->mutable_inversion();
  if (!inversion.has_prompt()) inversion.set_prompt(request.prompt());
  if (!inversion.has_guidance_scale()) inversion.set_guidance_scale(1);
  if (!inversion.has_steps()) inversion.set_steps(request.steps());
  violations.CheckText("image_to_image.inversion.prompt", inversion.prompt(),
                       limits.max_prompt_bytes);
  violations.CheckRange("image_to_image.inversion.guidance_scale",
                        inversion.guidance_scale(), 0.0, kMaxGuidanceScale);
  violations.CheckRange("image_to_image.inversion.steps", inversion.steps(), 1u,
                        model.limits().max_steps());
  if (strength >= 0 && strength <= 1 && InversionSteps(request) == 0) {
    violations.Add(
        "image_to_image.inversion.steps",
        absl::StrCat("image_to_image.inversion.steps ", inversion.steps(),
                     " are none at image_to_image.strength ",
                     ShortestDigits(strength)));
  }
}

}  // namespace

void FillSizeOfStart(const v1::Model& model, v1::GenerateRequest& request) {
  const bool starts =
      Takes(model, kStrength) || Takes(model, "image_guidance_scale");
  // A model that was never loaded has not told its sizes.
  if (!starts || PaintsAPart(request) || request.has_width() ||
      request.has_height() || model.limits().max_side() == 0) {
    return;
  }
  const auto picture = ProbePicture(request.image_to_image().image());
  if (!picture.ok()) return;
  const v1::ModelLimits& limits = model.limits();
  const double width = picture->shown_width();
  const double height = picture->shown_height();
  const double scale = std::sqrt(double(model.default_width()) *
                                 model.default_height() / (width * height));
  const uint32_t multiple = std::max(limits.size_multiple(), 1u);
  const auto side = [&](double of_picture) {
    const double least = std::max(limits.min_side(), 1u);
    return multiple * static_cast<uint32_t>(std::clamp(
                          std::round(of_picture * scale / multiple),
                          std::ceil(least / multiple),
                          std::floor(double(limits.max_side()) / multiple)));
  };
  uint32_t sides[] = {side(width), side(height)};
  // Both may have been rounded up: not over what a key has for the model's own.
  const uint64_t most =
      uint64_t{model.default_width()} * model.default_height();
  uint32_t& longer = *std::max_element(sides, sides + 2);
  while (uint64_t{sides[0]} * sides[1] > most &&
         longer >= std::max(limits.min_side(), multiple) + multiple) {
    longer -= multiple;
  }
  request.set_width(sides[0]);
  request.set_height(sides[1]);
}

void ResolveStart(const v1::Model& model, const RequestLimits& limits,
                  v1::GenerateRequest& request, Violations& violations) {
  // Latents stand in for a picture.
  const bool from_latents = !request.start_latents().empty();
  if (from_latents) request.mutable_image_to_image();
  if (!request.has_image_to_image()) {
    return violations.CheckTask(v1::TASK_TEXT_TO_IMAGE, "prompt", model);
  }
  if (!PaintsAPart(request)) {
    violations.CheckTask(v1::TASK_IMAGE_TO_IMAGE, "image_to_image", model);
  }
  v1::ImageToImage& start = *request.mutable_image_to_image();
  const bool follows = FollowsAPicture(model);
  if (!start.has_strength()) {
    start.set_strength(follows || start.has_inversion() ||
                               PaintsAnew(request, model)
                           ? 1
                           : kDefaultStrength);
  }
  if (follows && start.strength() != 1) {
    violations.Add(
        kStrength,
        absl::StrCat(kStrength, " ", ShortestDigits(start.strength()),
                     " is not 1, as it always is for model \"", model.id(),
                     "\", which follows a picture"));
  }
  violations.CheckRange("image_to_image.strength", start.strength(), 0.0, 1.0);
  if (start.strength() >= 0 && start.strength() <= 1 &&
      StepsWalked(request.steps(), start.strength(), StepRoundingOf(model)) ==
          0) {
    violations.Add("image_to_image.strength",
                   absl::StrCat("image_to_image.strength ",
                                ShortestDigits(start.strength()),
                                " leaves none of ", request.steps(), " steps"));
  }
  violations.CheckEnum("image_to_image.resize_mode", start.resize_mode(),
                       *v1::ResizeMode_descriptor());
  if (start.has_inversion()) {
    ResolveInversion(model, limits, request, violations);
  }
  if (from_latents) {
    if (start.image().empty()) return;
    return violations.Add(
        "start_latents", "start_latents does not go with image_to_image.image");
  }
  const std::optional<std::string> digest = violations.CheckPicture(
      {"image_to_image.image", "image_to_image.image_sha256",
       "image_to_image.image_bytes"},
      start.image(), start.image_sha256(), start.image_bytes(),
      static_cast<size_t>(limits.max_image_bytes));
  if (!digest.has_value()) return;
  const auto header = ProbePicture(start.image());
  if (!header.ok()) {
    return violations.Add(
        "image_to_image.image",
        absl::StrCat("image_to_image.image: ", header.status().message()));
  }
  if (start.resize_mode() == v1::RESIZE_MODE_UNSPECIFIED) {
    start.set_resize_mode(v1::RESIZE_MODE_CROP);
  }
  start.set_image_sha256(*digest);
  start.set_image_bytes(start.image().size());
}

}  // namespace genzo
