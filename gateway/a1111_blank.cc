#include "gateway/a1111_blank.h"

#include <png.h>

#include <algorithm>
#include <vector>

namespace genzo {
namespace {

constexpr char kWithheld[] = "withheld";

}  // namespace

std::string BlackPng(uint32_t width, uint32_t height) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = std::max(width, 1u);
  image.height = std::max(height, 1u);
  image.format = PNG_FORMAT_RGB;
  const std::vector<png_byte> pixels(PNG_IMAGE_SIZE(image), 0);
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = file.size();
  const int done = png_image_write_to_memory(
      &image, file.data(), &size, /*convert_to_8_bit=*/0, pixels.data(),
      /*row_stride=*/0, /*colormap=*/nullptr);
  file.resize(done != 0 ? size : 0);
  return file;
}

void BlackOutWithheld(Painting& painting) {
  if (painting.withheld == 0) return;
  const v1::GenerateRequest& request = painting.resolved;
  const std::string black =
      request.has_hires()
          ? BlackPng(request.hires().width(), request.hires().height())
          : BlackPng(request.width(), request.height());
  uint32_t left = painting.withheld;
  for (uint32_t i = 0; left > 0 && i < request.image_count(); ++i) {
    if (painting.images.count(i) > 0) continue;
    v1::Image& image = painting.images[i];
    image.set_image_index(i);
    // Of variations the other seed counts up.
    image.set_seed(request.seed() +
                   (request.variation().strength() > 0 ? 0 : i));
    image.set_safety(kWithheld);
    image.mutable_picture()->set_data(black);
    --left;
  }
}

}  // namespace genzo
