#include "tests/worker/media/picture_decoders.h"

// jpeglib.h needs what stands before it.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <webp/decode.h>
#include <webp/mux.h>

#include <cmath>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

const uint8_t* Bytes(const std::string& file) {
  return reinterpret_cast<const uint8_t*>(file.data());
}

std::string ExifIn(const jpeg_decompress_struct& jpeg) {
  const std::string mark("Exif\0\0", 6);
  for (auto* place = jpeg.marker_list; place; place = place->next) {
    const std::string body(reinterpret_cast<const char*>(place->data),
                           place->data_length);
    if (body.rfind(mark, 0) == 0) return body.substr(mark.size());
  }
  return "";
}

}  // namespace

DecodedPicture DecodeJpeg(const std::string& file) {
  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, Bytes(file), file.size());
  jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&jpeg, TRUE);
  DecodedPicture picture;
  picture.exif = ExifIn(jpeg);
  picture.full_color =
      jpeg.max_h_samp_factor == 1 && jpeg.max_v_samp_factor == 1;
  // Marker and length of a baseline frame of three components.
  picture.baseline =
      file.find(std::string("\xff\xc0\0\x11", 4)) != std::string::npos;
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  Pixels& pixels = picture.pixels;
  pixels.width = static_cast<int>(jpeg.output_width);
  pixels.height = static_cast<int>(jpeg.output_height);
  pixels.rgb.resize(size_t{3} * pixels.width * pixels.height);
  while (jpeg.output_scanline < jpeg.output_height) {
    auto* row = reinterpret_cast<JSAMPLE*>(pixels.rgb.data()) +
                size_t{3} * pixels.width * jpeg.output_scanline;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return picture;
}

DecodedPicture DecodeWebp(const std::string& file) {
  DecodedPicture picture;
  Pixels& pixels = picture.pixels;
  uint8_t* rgb =
      WebPDecodeRGB(Bytes(file), file.size(), &pixels.width, &pixels.height);
  if (rgb == nullptr) return {};
  pixels.rgb.assign(reinterpret_cast<const char*>(rgb),
                    size_t{3} * pixels.width * pixels.height);
  WebPFree(rgb);
  const WebPData data = {Bytes(file), file.size()};
  WebPMux* mux = WebPMuxCreate(&data, /*copy_data=*/0);
  WebPData exif = {};
  if (WebPMuxGetChunk(mux, "EXIF", &exif) == WEBP_MUX_OK) {
    picture.exif.assign(reinterpret_cast<const char*>(exif.bytes), exif.size);
  }
  WebPMuxDelete(mux);
  return picture;
}

std::string PictureData(const std::string& name) {
  return ReadFile(SourcePath(absl::StrCat("tests/data/pictures/", name)));
}

Pixels ReadPpm(const std::string& name) {
  std::istringstream file(PictureData(name + ".ppm"));
  std::string magic;
  int largest = 0;
  Pixels pixels;
  file >> magic >> pixels.width >> pixels.height >> largest;
  pixels.rgb.resize(size_t{3} * pixels.width * pixels.height);
  file.get();
  file.read(pixels.rgb.data(), static_cast<int64_t>(pixels.rgb.size()));
  EXPECT_TRUE(file.good() && magic == "P6" && largest == 255) << name;
  return pixels;
}

Pixels Scene(int width, int height) {
  Pixels scene{.width = width, .height = height, .rgb = ""};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool disc = std::hypot(x - width / 3, y - height / 2) < height / 4;
      const double wave = std::sin(0.11 * x + 0.03 * y) * 40;
      scene.rgb += static_cast<char>(disc ? 220 : 90 + wave);
      scene.rgb += static_cast<char>(disc ? 60 : 120 + 100 * y / height);
      scene.rgb += static_cast<char>(disc ? 40 : 200 - 150 * x / width);
    }
  }
  return scene;
}

double Psnr(const Pixels& a, const Pixels& b) {
  if (a.width != b.width || a.height != b.height) return -1;
  double squares = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double difference = static_cast<unsigned char>(a.rgb[i]) -
                              static_cast<unsigned char>(b.rgb[i]);
    squares += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 * a.rgb.size() / squares);
}

}  // namespace genzo
