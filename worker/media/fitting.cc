#include "worker/media/fitting.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "worker/media/picture_resampling.h"

namespace genzo {
namespace {

constexpr int kChannels = 3;

Box WholeOf(const Pixels& pixels) {
  return {.width = pixels.width, .height = pixels.height};
}

// Where the row begins, at column `x`.
size_t OffsetOf(const Pixels& pixels, int x, int y) {
  return kChannels * ((size_t(y) * pixels.width) + x);
}

Pixels CutOut(const Pixels& pixels, const Box& box) {
  Pixels part = {.width = box.width, .height = box.height, .rgb = ""};
  part.rgb.reserve(OffsetOf(part, 0, box.height));
  for (int row = 0; row < box.height; ++row) {
    part.rgb.append(pixels.rgb, OffsetOf(pixels, box.x, box.y + row),
                    size_t{kChannels} * box.width);
  }
  return part;
}

// How much of `side` is kept for `target`, where `other` is kept whole for
// `other_target`.
int Kept(int64_t side, int64_t other, int64_t target, int64_t other_target) {
  const int64_t kept = (other * target + other_target / 2) / other_target;
  return static_cast<int>(std::clamp<int64_t>(kept, 1, side));
}

Pixels Cropped(const Pixels& pixels, int width, int height) {
  Box box = {.width = Kept(pixels.width, pixels.height, width, height),
             .height = Kept(pixels.height, pixels.width, height, width)};
  box.x = (pixels.width - box.width) / 2;
  box.y = (pixels.height - box.height) / 2;
  return Scaled(pixels, box, width, height);
}

}  // namespace

Pixels Scaled(const Pixels& pixels, const Box& box, int width, int height) {
  const bool is_whole =
      box.width == pixels.width && box.height == pixels.height;
  const bool has_size = box.width == width && box.height == height;
  if (is_whole && has_size) return pixels;
  if (has_size) return CutOut(pixels, box);
  return ResampleTo(is_whole ? pixels : CutOut(pixels, box),
                    ResamplingFilter::kLanczos, width, height);
}

Box InsetOf(const Box& inner, int width, int height) {
  const int64_t across = int64_t{width} * inner.height;
  const int64_t down = int64_t{height} * inner.width;
  Box inset = {.width = width, .height = height};
  if (across > down) {
    inset.width = static_cast<int>(std::max<int64_t>(1, down / inner.height));
  } else {
    inset.height = static_cast<int>(std::max<int64_t>(1, across / inner.width));
  }
  inset.x = width / 2 - inset.width / 2;
  inset.y = height / 2 - inset.height / 2;
  return inset;
}

Pixels Framed(const Pixels& part, const Box& inset, int width, int height) {
  if (part.width == width && part.height == height) return part;
  Pixels framed = {.width = width, .height = height, .rgb = ""};
  framed.rgb.resize(OffsetOf(framed, 0, height));
  for (int y = 0; y < height; ++y) {
    const int row = std::clamp(y - inset.y, 0, part.height - 1);
    for (int x = 0; x < width; ++x) {
      const int column = std::clamp(x - inset.x, 0, part.width - 1);
      std::memcpy(&framed.rgb[OffsetOf(framed, x, y)],
                  &part.rgb[OffsetOf(part, column, row)], kChannels);
    }
  }
  return framed;
}

Pixels FitToSize(const Pixels& pixels, int width, int height, ResizeMode mode) {
  switch (mode) {
    case ResizeMode::kCrop:
      break;
    case ResizeMode::kStretch:
      return Scaled(pixels, WholeOf(pixels), width, height);
    case ResizeMode::kFill: {
      const Box inset = InsetOf(WholeOf(pixels), width, height);
      return Framed(Scaled(pixels, WholeOf(pixels), inset.width, inset.height),
                    inset, width, height);
    }
  }
  return Cropped(pixels, width, height);
}

}  // namespace genzo
