#include "server/resolve_start.h"

#include "base/request_rules.h"
#include "base/shortest_digits.h"
#include "server/resolve_inpainting.h"

namespace genzo {
namespace {

constexpr double kDefaultStrength = 0.8;
constexpr char kStrength[] = "image_to_image.strength";

// Borders show nothing that a walk could begin at, and models that see a mask
// were trained to begin at noise.
bool PaintsAnew(const v1::GenerateRequest& request, const v1::Model& model) {
  const auto& tasks = model.tasks();
  return request.has_outpainting() ||
         (tasks.size() == 1 && tasks[0] == v1::TASK_INPAINTING);
}

}  // namespace

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
  const bool follows = !Takes(model, kStrength);
  if (!start.has_strength()) {
    start.set_strength(
        follows || PaintsAnew(request, model) ? 1 : kDefaultStrength);
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
  start.set_image_sha256(*digest);
  start.set_image_bytes(start.image().size());
}

}  // namespace genzo
