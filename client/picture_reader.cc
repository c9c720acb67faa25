#include "client/picture_reader.h"

#include <memory>

#include "stb_image.h"

namespace genzo {

absl::StatusOr<RgbImage> ReadPicture(const std::string& file) {
  constexpr int kMaxSide = 8192;
  const auto* bytes = reinterpret_cast<const stbi_uc*>(file.data());
  const int size = static_cast<int>(file.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(bytes, size, &width, &height, &channels) == 0 ||
      width > kMaxSide || height > kMaxSide) {
    return absl::InvalidArgumentError(
        "neither a PNG nor a JPEG file, or too large");
  }
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes, size, &width, &height, &channels, 3),
      stbi_image_free);
  if (pixels == nullptr)
    return absl::InvalidArgumentError("broken picture file");
  return RgbImage{width, height,
                  std::string(reinterpret_cast<const char*>(pixels.get()),
                              static_cast<size_t>(width) * height * 3)};
}

}  // namespace genzo
