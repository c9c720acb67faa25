#include "worker/engine/picture_finisher.h"

#include <algorithm>
#include <utility>

#include "worker/media/image_parameters.h"
#include "worker/media/picture_resampling.h"
#include "worker/media/provenance.h"
#include "worker/media/watermark.h"

namespace genzo {
namespace {

constexpr char kUnsafe[] = "nsfw";

Pixels Scaled(const Pixels& pixels, int width, int height) {
  return ResampleTo(pixels, ResamplingFilter::kBilinear, width, height);
}

// So few pixels are left that nobody is known.
Pixels Blurred(const Pixels& pixels) {
  constexpr int kShare = 32;
  const Pixels small = Scaled(pixels, std::max(2, pixels.width / kShare),
                              std::max(2, pixels.height / kShare));
  return Scaled(small, pixels.width, pixels.height);
}

bool Checks(const v1::GenerateRequest& request) {
  return request.safety_policy() >= v1::SAFETY_POLICY_MARK;
}

}  // namespace

absl::StatusOr<PictureFinisher::Finished> PictureFinisher::Finish(
    const v1::GenerateRequest& request, uint64_t seed, Pixels pixels,
    uint64_t image_index, absl::Span<const uint8_t> painted) const {
  Finished finished;
  if (request.has_best_of()) {
    const auto scores = judges_.Score(
        {.scorer = request.best_of().scorer(), .model = request.model()},
        request.prompt(), /*count=*/1, [&](size_t) { return pixels; });
    if (!scores.ok()) return scores.status();
    finished.score = scores->front();
  }
  if (Checks(request)) {
    const auto verdict = judges_.Check(request.model(), pixels);
    if (!verdict.ok()) return verdict.status();
    if (verdict->unsafe) {
      finished.safety = kUnsafe;
      finished.withheld = request.safety_policy() == v1::SAFETY_POLICY_REFUSE;
      if (finished.withheld) return finished;
      if (request.safety_policy() == v1::SAFETY_POLICY_BLUR) {
        pixels = Blurred(pixels);
      }
    }
  }
  const v1::OutputOptions& output = request.output();
  if (output.watermark()) AddWatermark(pixels, painted);
  if (output.embed_parameters()) {
    finished.text = ImageParameters(request, seed, image_index);
  }
  if (output.mark_provenance()) {
    finished.text.emplace_back(kXmpKey,
                               XmpOf(ProvenanceOf(request, seed, image_index)));
  }
  finished.pixels = std::move(pixels);
  return finished;
}

std::optional<Pixels> PictureFinisher::Shown(const v1::GenerateRequest& request,
                                             Pixels pixels) const {
  if (request.safety_policy() < v1::SAFETY_POLICY_BLUR) return pixels;
  const auto verdict = judges_.Check(request.model(), pixels);
  if (!verdict.ok()) return std::nullopt;
  if (!verdict->unsafe) return pixels;
  if (request.safety_policy() == v1::SAFETY_POLICY_REFUSE) return std::nullopt;
  return Blurred(pixels);
}

std::optional<PictureFinisher::Look> PictureFinisher::Preview(
    const v1::GenerateRequest& request, Pixels pixels) const {
  auto shown = Shown(request, std::move(pixels));
  if (!shown.has_value()) return std::nullopt;
  Look look = {.pixels = *std::move(shown), .text = {}};
  // One of the last step is as good as the picture.
  if (request.output().watermark()) AddWatermark(look.pixels);
  if (request.output().mark_provenance()) {
    look.text.emplace_back(kXmpKey, XmpOf(OriginOf(request)));
  }
  return look;
}

}  // namespace genzo
