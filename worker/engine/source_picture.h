#ifndef GENZO_WORKER_ENGINE_SOURCE_PICTURE_H_
#define GENZO_WORKER_ENGINE_SOURCE_PICTURE_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/media/fitting.h"
#include "worker/media/masked_canvas.h"

namespace genzo {

// Of the file, as it came and as it is unpacked. A phone has 50 million.
inline constexpr int64_t kMaxSourceBytes = int64_t{20} << 20;
inline constexpr int64_t kMaxSourcePixels = 64'000'000;

// What a request brings to start from, as the model takes it, on the CPU.
struct SourcePicture {
  at::Tensor picture;  // [1, 3, height, width] float32 in [-1, 1]
  std::shared_ptr<const Pixels> whole = nullptr;  // as it came, if no mask is
  at::Tensor mask = {};  // [1, 1, height, width] float32: 1 is painted; or none
  // What the result is put together from, where a part stays as it was.
  std::shared_ptr<const MaskedCanvas> canvas = nullptr;
};

// UNSPECIFIED is kCrop.
ResizeMode ResizeModeOf(v1::ResizeMode mode);

// The picture that an image-to-image request brings, turned as its Exif
// orientation says and fitted as it says to its size divided by `divisor`; with
// its mask and borders, if it has them. INVALID_ARGUMENT/INVALID_FIELD says
// what is wrong with which file. Bytes and pixels are bounded before anything
// of their size is allocated.
absl::StatusOr<SourcePicture> ReadSourcePicture(
    const v1::GenerateRequest& request, int64_t divisor = 1);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_SOURCE_PICTURE_H_
