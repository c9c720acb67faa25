#include "worker/engine/source_picture.h"

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/pixel_tensors.h"

namespace genzo {

absl::StatusOr<at::Tensor> ReadSourcePicture(const v1::GenerateRequest& request,
                                             int64_t divisor) {
  const auto pixels = DecodePicture(
      request.image_to_image().image(),
      {.max_bytes = kMaxSourceBytes, .max_pixels = kMaxSourcePixels});
  if (absl::IsInvalidArgument(pixels.status())) {
    return InvalidFieldsError(
        {{"image_to_image.image",
          absl::StrCat("image_to_image.image: ", pixels.status().message())}});
  }
  if (!pixels.ok()) return pixels.status();
  return ToTensor(FitToSize(*pixels,
                            static_cast<int>(request.width() / divisor),
                            static_cast<int>(request.height() / divisor)));
}

}  // namespace genzo
