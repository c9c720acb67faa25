#include "base/upscale_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/shortest_digits.h"

namespace genzo {
namespace {

constexpr int kMostPasses = 3;

std::string Shown(PixelSize size) {
  return absl::StrCat(size.width, "x", size.height);
}

absl::Status Fault(const std::string& field, const std::string& description) {
  return InvalidFieldsError({{field, description}});
}

bool IsTooLarge(PixelSize size) {
  return size.width > kMaxUpscaledSide || size.height > kMaxUpscaledSide ||
         size.pixels() > kMaxUpscaledPixels;
}

std::string Limits() {
  return absl::StrCat("the limits are ", kMaxUpscaledSide, " on a side and ",
                      kMaxUpscaledPixels, " pixels");
}

}  // namespace

std::vector<PixelSize> UpscalePasses(PixelSize size, int64_t scale,
                                     PixelSize target) {
  std::vector<PixelSize> passes;
  if (scale == 0) return passes;
  for (int i = 0; i < kMostPasses; ++i) {
    size = {size.width * scale, size.height * scale};
    passes.push_back(size);
    if (size.width >= target.width && size.height >= target.height) break;
  }
  return passes;
}

absl::StatusOr<UpscalePlan> PlanUpscale(const v1::UpscaleRequest& request,
                                        const v1::Upscaler& upscaler,
                                        PixelSize picture) {
  UpscalePlan plan;
  if (request.has_width()) {
    plan.result = {request.width(), request.height()};
    if (IsTooLarge(plan.result)) {
      return Fault("width", absl::StrCat("width and height make ",
                                         Shown(plan.result), "; ", Limits()));
    }
  } else {
    const double natural =
        upscaler.scale() > 0 ? upscaler.scale() : kLanczosFactor;
    const double factor = request.has_factor() ? request.factor() : natural;
    const auto times = [&](int64_t side) {
      return static_cast<int64_t>(static_cast<double>(side) * factor);
    };
    plan.result = {times(picture.width), times(picture.height)};
    if (IsTooLarge(plan.result) || plan.result.pixels() == 0) {
      return Fault("factor", absl::StrCat("factor ", ShortestDigits(factor),
                                          " makes ", Shown(plan.result), " of ",
                                          Shown(picture), "; ", Limits()));
    }
  }
  plan.passes = UpscalePasses(picture, upscaler.scale(), plan.result);
  for (const PixelSize& pass : plan.passes) {
    if (pass.pixels() <= kMaxUpscaledPixels) continue;
    return Fault(
        "picture",
        absl::StrCat("picture of ", Shown(picture), " becomes ", Shown(pass),
                     " by upscaler \"", upscaler.name(), "\"; the limit is ",
                     kMaxUpscaledPixels, " pixels"));
  }
  return plan;
}

v1::GenerateRequest SecondPass(const v1::GenerateRequest& request) {
  const v1::HiresPass& hires = request.hires();
  v1::GenerateRequest second = request;
  second.clear_hires();
  second.clear_start_latents();
  second.clear_sigmas();
  second.clear_timesteps();
  second.set_width(hires.width());
  second.set_height(hires.height());
  second.set_steps(hires.steps());
  if (hires.sampler() != request.sampler()) second.clear_eta();
  second.set_sampler(hires.sampler());
  second.set_schedule(hires.schedule());
  second.mutable_image_to_image()->set_strength(hires.strength());
  return second;
}

PixelSize PaintedSize(const v1::GenerateRequest& request) {
  return request.has_hires()
             ? PixelSize{request.hires().width(), request.hires().height()}
             : PixelSize{request.width(), request.height()};
}

}  // namespace genzo
