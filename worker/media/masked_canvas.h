#ifndef GENZO_WORKER_MEDIA_MASKED_CANVAS_H_
#define GENZO_WORKER_MEDIA_MASKED_CANVAS_H_

#include <optional>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "worker/media/fitting.h"
#include "worker/media/pixels.h"

namespace genzo {

// How a part of a picture is to be painted anew.
struct MaskingPlan {
  int width = 0;  // of what is painted, in pixels
  int height = 0;
  ResizeMode resize_mode = ResizeMode::kCrop;  // of picture and mask
  double blur = 0;      // standard deviation in pixels, of the mask's edge
  bool invert = false;  // what the mask leaves out is painted
  // Colours of what is around it instead of what the masked part shows.
  bool fill_with_surroundings = false;
  // Only the masked part and so many pixels around it are painted, as large as
  // `width` x `height`; else the whole picture is, fitted to that.
  std::optional<int> only_masked = {};
  // Added around the picture and painted; then the picture is fitted to what
  // they leave of `width` x `height`.
  int left = 0, top = 0, right = 0, bottom = 0;

  bool extends() const { return left + top + right + bottom > 0; }
};

// What the result is put together from: where `alpha` is 0 it is the canvas' to
// the byte. Immutable.
struct MaskedCanvas {
  Pixels pixels;     // of the result's size
  at::Tensor alpha;  // [H, W] uint8 of that size: 255 as painted
  Box region = {};   // of the canvas that is painted
  Box inset = {};    // where the region lies in what is painted
};

// What there is to paint.
struct MaskedPicture {
  MaskedCanvas canvas;
  at::Tensor picture = {};  // [1, 3, height, width] float32 in [-1, 1]
  // [1, 1, height, width] float32: 1 is painted, 0 stays.
  at::Tensor mask = {};
};

// `mask` is grey and of the picture's size, or empty: nothing but what is added
// around it is painted. The picture's own pixels are the canvas' wherever it
// has the canvas' size. With only_masked the canvas is the picture as it is,
// and the region has the proportions of width x height as far as there is
// picture; where there is not, its edge goes on outside the inset.
//
// The mask is blurred, then cut at one half for the model (as the reference
// pipelines do) and kept as it is for the canvas. INVALID_ARGUMENT where it
// leaves nothing to paint.
absl::StatusOr<MaskedPicture> PrepareMasked(const Pixels& picture,
                                            const Pixels& mask,
                                            const MaskingPlan& plan);

// What the painted part of the canvas shows in another picture of all of it,
// as a hint is: width x height, the plan's size.
Pixels SeenInRegion(const MaskedCanvas& canvas, const Pixels& picture,
                    ResizeMode mode, int width, int height);

// What was painted, of the plan's size, on the canvas.
Pixels PastedInto(const MaskedCanvas& canvas, const Pixels& painted);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_MASKED_CANVAS_H_
