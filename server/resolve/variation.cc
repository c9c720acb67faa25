#include "server/resolve/variation.h"

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr size_t kMaxLatentsName = 256;  // bytes

void CheckResize(const v1::Variation& variation, const v1::ModelLimits& limits,
                 Violations& violations) {
  if (!variation.has_resize_from_width() &&
      !variation.has_resize_from_height()) {
    return;
  }
  const std::pair<const char*, uint32_t> sides[] = {
      {"variation.resize_from_width", variation.resize_from_width()},
      {"variation.resize_from_height", variation.resize_from_height()}};
  for (const auto& [field, pixels] : sides) {
    violations.CheckRange(field, pixels, limits.min_side(), limits.max_side());
    if (limits.size_multiple() > 0 && pixels % limits.size_multiple() != 0) {
      violations.Add(field,
                     absl::StrCat(field, " ", pixels, " is not a multiple of ",
                                  limits.size_multiple()));
    }
  }
}

}  // namespace

void ResolveVariation(const v1::Model& model, uint64_t drawn_seed,
                      v1::GenerateRequest& request, Violations& violations) {
  if (request.has_variation()) {
    violations.CheckTaken("variation", model);
    v1::Variation& variation = *request.mutable_variation();
    violations.CheckRange("variation.strength", variation.strength(), 0.0, 1.0);
    CheckResize(variation, model.limits(), violations);
    // Not the seed itself, which is `drawn_seed` where the request has none.
    if (variation.strength() > 0 && !variation.has_seed()) {
      variation.set_seed(static_cast<uint32_t>(~drawn_seed));
    }
  }
  if (request.keep_latents()) violations.CheckTaken("keep_latents", model);
  if (request.start_latents().empty()) return;
  violations.CheckTaken("start_latents", model);
  if (request.has_inpainting() || request.has_outpainting()) {
    violations.Add("start_latents",
                   "start_latents does not go with inpainting or outpainting, "
                   "which need the picture");
  }
  violations.CheckText("start_latents", request.start_latents(),
                       kMaxLatentsName);
}

}  // namespace genzo
