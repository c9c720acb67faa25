#ifndef GENZO_BASE_UPSCALE_PLAN_H_
#define GENZO_BASE_UPSCALE_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "genzo/v1/upscaling.pb.h"

// What front ends refuse by and workers go by when pictures are enlarged. Pure.

namespace genzo {

// The filter that every server has, and how much it enlarges where nobody says.
inline constexpr char kLanczos[] = "lanczos";
inline constexpr uint32_t kLanczosFactor = 2;

// Bounds of what upscalers make.
inline constexpr int64_t kMaxUpscaledSide = 8192;
inline constexpr int64_t kMaxUpscaledPixels = int64_t{1} << 25;
inline constexpr double kMaxUpscaleFactor = 16;

// A size in pixels.
struct PixelSize {
  int64_t width = 0;
  int64_t height = 0;
  int64_t pixels() const { return width * height; }
  bool operator==(const PixelSize&) const = default;
};

// The sizes that a picture goes through on its way to one that covers `target`:
// enlarged by `scale` until it does, at least once and at most three times. Of
// a filter, whose scale is 0, none. Reference: A1111's Upscaler.upscale.
//
//   200x100, scale 2, to 500x500: 400x200, 800x400, 1600x800
std::vector<PixelSize> UpscalePasses(PixelSize size, int64_t scale,
                                     PixelSize target);

// The way of one picture.
struct UpscalePlan {
  std::vector<PixelSize> passes;  // through the network
  PixelSize result;
};

// The way of a picture of that size as `request`, which is valid but for sizes,
// wants it. INVALID_ARGUMENT/INVALID_FIELD names `factor`, `width`, `height` or
// `picture` for what would be too large or would have no pixels.
absl::StatusOr<UpscalePlan> PlanUpscale(const v1::UpscaleRequest& request,
                                        const v1::Upscaler& upscaler,
                                        PixelSize picture);

// What the hires pass of `request`, resolved, asks of the model: a start from a
// picture at the larger size. Its bytes are not there.
v1::GenerateRequest SecondPass(const v1::GenerateRequest& request);

// The size of the images that `request`, resolved, sends before any
// output.upscaler.
PixelSize PaintedSize(const v1::GenerateRequest& request);

}  // namespace genzo

#endif  // GENZO_BASE_UPSCALE_PLAN_H_
