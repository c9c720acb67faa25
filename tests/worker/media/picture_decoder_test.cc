// Files of many kinds, most of them written and read by Pillow
// (tests/data/make_pictures.py).

#include "worker/media/picture_decoder.h"

#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/pictures/picture_file.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/jpeg.h"
#include "worker/media/pixel_tensors.h"
#include "worker/media/png.h"
#include "worker/media/webp.h"

namespace genzo {
namespace {

// 256 for pictures of different sizes.
int LargestDifference(const Pixels& a, const Pixels& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<unsigned char>(a.rgb[i]) -
                                         static_cast<unsigned char>(b.rgb[i])));
  }
  return largest;
}

absl::StatusOr<Pixels> Decode(const std::string& file) {
  return DecodePicture(file, PictureLimits());
}

std::string WritePng(int width, int height, int bit_depth, int color_type,
                     int interlace, const std::string& rows) {
  std::string file;
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto write = [](png_structp from, png_bytep bytes, size_t size) {
    static_cast<std::string*>(png_get_io_ptr(from))
        ->append(reinterpret_cast<char*>(bytes), size);
  };
  png_set_write_fn(png, &file, write, nullptr);
  png_set_IHDR(png, info, width, height, bit_depth, color_type, interlace,
               PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
  png_write_info(png, info);
  const int passes = png_set_interlace_handling(png);
  const size_t row_bytes = rows.size() / height;
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < height; ++y) {
      png_write_row(
          png, reinterpret_cast<png_const_bytep>(rows.data()) + y * row_bytes);
    }
  }
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

struct Sample {
  const char* name;
  const char* extension;
  int tolerance;  // of a byte, against Pillow
};

class SampleTest : public ::testing::TestWithParam<Sample> {};

TEST_P(SampleTest, IsReadAsPillowReadsIt) {
  const Sample& sample = GetParam();
  const auto pixels =
      Decode(PictureData(absl::StrCat(sample.name, sample.extension)));
  ASSERT_THAT(pixels, IsOk());
  EXPECT_LE(LargestDifference(*pixels, ReadPpm(sample.name)), sample.tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Samples, SampleTest,
    ::testing::Values(
        // Two roundings of a blend with white.
        Sample{"rgba", ".png", 1}, Sample{"grey_alpha", ".png", 1},
        Sample{"palette_transparent", ".png", 0},
        Sample{"transparent_color", ".png", 0}, Sample{"grey_png", ".png", 0},
        Sample{"bilevel", ".png", 0}, Sample{"palette", ".png", 0},
        Sample{"rgb_png", ".png", 0}, Sample{"exif_png", ".png", 0},
        // Two versions of libjpeg: other inverse transforms.
        Sample{"rgb_jpg", ".jpg", 3}, Sample{"half_color", ".jpg", 3},
        Sample{"progressive", ".jpg", 3}, Sample{"grey_jpg", ".jpg", 3},
        Sample{"cmyk", ".jpg", 3}, Sample{"exif1", ".jpg", 3},
        Sample{"exif2", ".jpg", 3}, Sample{"exif3", ".jpg", 3},
        Sample{"exif4", ".jpg", 3}, Sample{"exif5", ".jpg", 3},
        Sample{"exif6", ".jpg", 3}, Sample{"exif7", ".jpg", 3},
        Sample{"exif8", ".jpg", 3}, Sample{"lossy", ".webp", 3},
        Sample{"lossless", ".webp", 1}, Sample{"exif_webp", ".webp", 0}),
    [](const auto& info) { return info.param.name; });

TEST(PictureDecoderTest, ScalesSixteenBits) {
  const std::string rows("\0\0\x80\x80\xff\xff\x7f\x00\x01\x00\xfe\xff", 12);
  const auto pixels =
      Decode(WritePng(2, 1, 16, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, rows));
  ASSERT_THAT(pixels, IsOk());
  EXPECT_EQ(pixels->rgb, std::string("\0\x80\xff\x7f\x01\xfe", 6));
}

TEST(PictureDecoderTest, ReadsInterlacedFiles) {
  const Pixels scene = Scene(37, 23);
  const auto pixels = Decode(
      WritePng(37, 23, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, scene.rgb));
  ASSERT_THAT(pixels, IsOk());
  EXPECT_EQ(pixels->rgb, scene.rgb);
}

TEST(PictureDecoderTest, PutsTransparentPixelsOnWhite) {
  const std::string rows("\x10\x20\x30\0\x10\x20\x30\xff\0\0\0\x80", 12);
  const auto pixels =
      Decode(WritePng(3, 1, 8, PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_NONE, rows));
  ASSERT_THAT(pixels, IsOk());
  EXPECT_EQ(pixels->rgb, "\xff\xff\xff\x10\x20\x30\x7f\x7f\x7f");
}

TEST(PictureDecoderTest, ReadsWhatWeWrite) {
  const Pixels scene = Scene(64, 48);
  const PictureText text = {{"parameters", "a fox"}, {"Software", "Genzo"}};
  EXPECT_EQ(Decode(*EncodePng(scene, text))->rgb, scene.rgb);
  EXPECT_GT(Psnr(*Decode(*EncodeJpeg(scene, 95, text)), scene), 35);
  EXPECT_GT(Psnr(*Decode(*EncodeWebp(scene, 95, text)), scene), 32);
}

TEST(PictureDecoderTest, RefusesTooManyBytes) {
  const std::string file = *EncodePng(Scene(8, 8), {});
  const auto limit = static_cast<int64_t>(file.size());
  EXPECT_THAT(DecodePicture(file, {.max_bytes = limit}), IsOk());
  EXPECT_THAT(
      DecodePicture(file, {.max_bytes = limit - 1}),
      StatusIs(kInvalid, absl::StrCat("the file has ", limit,
                                      " bytes, the limit is ", limit - 1)));
}

TEST(PictureDecoderTest, RefusesTooManyPixelsOfEachFormat) {
  const Pixels scene = Scene(40, 30);
  for (const std::string& file :
       {*EncodePng(scene, {}), *EncodeJpeg(scene, 90, {}),
        *EncodeWebp(scene, 90, {})}) {
    EXPECT_THAT(DecodePicture(file, {.max_pixels = 1200}), IsOk());
    EXPECT_THAT(
        DecodePicture(file, {.max_pixels = 1199}),
        StatusIs(kInvalid,
                 "width 40 x height 30 = 1200 pixels, the limit is 1199"));
  }
}

// The header alone is there, so that it is all that can have been looked at.
TEST(PictureDecoderTest, RefusesABombByItsHeader) {
  std::string png = WritePng(1, 1, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                             std::string(3, 'x'));
  png.resize(8 + 25);
  const std::string header(
      "IHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x01\x00\x00\x00\x00", 17);
  const auto checksum =
      crc32(0, reinterpret_cast<const Bytef*>(header.data()), header.size());
  png.replace(12, 17, header);
  for (int i = 0; i < 4; ++i) {
    png[29 + i] = static_cast<char>(checksum >> (24 - 8 * i));
  }
  png += std::string("\0\0\0\0IDAT\x35\xaf\x06\x1e", 12);
  EXPECT_THAT(Decode(png),
              StatusIs(kInvalid,
                       "width 2147483647 x height 2147483647 = "
                       "4611686014132420609 pixels, the limit is 33554432"));
}

TEST(PictureDecoderTest, RefusesAnimations) {
  EXPECT_THAT(Decode(PictureData("animated.webp")),
              StatusIs(kInvalid, "animations are not supported"));
}

TEST(PictureDecoderTest, RefusesOtherFormats) {
  for (const std::string file :
       {"", "\x89", "GIF89a", "RIFF....WAVEfmt ", "\x89PNG\r\r\x1a\n"}) {
    EXPECT_THAT(Decode(file),
                StatusIs(kInvalid, "is neither PNG nor JPEG nor WebP"));
  }
}

TEST(PictureDecoderTest, RefusesFilesThatEndEarly) {
  for (const char* name : {"rgb_png.png", "rgb_jpg.jpg", "progressive.jpg",
                           "lossy.webp", "lossless.webp"}) {
    const std::string file = PictureData(name);
    for (size_t part = 1; part < 8; ++part) {
      EXPECT_THAT(Decode(file.substr(0, file.size() * part / 8)),
                  StatusIs(kInvalid, "cannot be read: "))
          << name << " cut after " << part << "/8";
    }
  }
}

TEST(PictureDecoderTest, RefusesEndlessScans) {
  const std::string file = PictureData("progressive.jpg");
  const size_t first = file.find("\xff\xda");
  const size_t second = file.find("\xff\xda", first + 2);
  // Tables that belong to the second scan stand between the two.
  const size_t end = file.rfind("\xff\xc4", second);
  ASSERT_NE(second, std::string::npos);
  const std::string scan = file.substr(first, std::min(end, second) - first);
  std::string many = file.substr(0, first);
  for (int i = 0; i < 200; ++i) many += scan;
  many += file.substr(first);
  EXPECT_THAT(Decode(many), StatusIs(kInvalid, "more than 100 scans"));
}

// A third of each file's mutations change its first bytes, where lengths and
// sizes stand. What is asked is that nothing breaks, which sanitizers see, and
// that what is read has the size that the header told.
TEST(PictureDecoderTest, IsSafeOnBrokenFiles) {
  std::mt19937 random(42);
  int refused = 0;
  for (const char* name :
       {"rgba.png", "palette_transparent.png", "exif_png.png", "rgb_jpg.jpg",
        "progressive.jpg", "cmyk.jpg", "exif6.jpg", "lossy.webp",
        "lossless.webp", "exif_webp.webp", "animated.webp"}) {
    const std::string sound = PictureData(name);
    for (int i = 0; i < 1500; ++i) {
      std::string file = sound;
      const size_t reach =
          i % 3 == 0 ? std::min<size_t>(64, file.size()) : file.size();
      for (uint32_t changes = 1 + random() % 4; changes > 0; --changes) {
        file[random() % reach] = static_cast<char>(random());
      }
      if (i % 5 == 0) file.resize(1 + random() % file.size());
      if (i % 7 == 0)
        file.insert(random() % file.size(), file.substr(0, reach));
      const PictureLimits limits = {.max_pixels = 1 << 16};
      const auto header = ProbePicture(file);
      const auto pixels = DecodePicture(file, limits);
      if (!pixels.ok()) {
        ++refused;
        EXPECT_EQ(pixels.status().code(), kInvalid) << pixels.status();
        continue;
      }
      ASSERT_THAT(header, IsOk());
      EXPECT_THAT(CheckPixels(*pixels), IsOk());
      EXPECT_EQ(pixels->rgb.size(), size_t{3} * header->width * header->height);
    }
  }
  EXPECT_GT(refused, 3000);
  EXPECT_LT(refused, 16000) << "of 16500: some must be read";
}

TEST(PictureProbeTest, TellsFormatAndSize) {
  const Pixels scene = Scene(40, 30);
  const auto expect = [](const std::string& file, const std::string& format) {
    const auto header = ProbePicture(file);
    ASSERT_THAT(header, IsOk());
    EXPECT_EQ(header->format, format);
    EXPECT_EQ(header->width, 40);
    EXPECT_EQ(header->height, 30);
  };
  expect(*EncodePng(scene, {}), "PNG");
  expect(*EncodeJpeg(scene, 90, {}), "JPEG");
  expect(*EncodeWebp(scene, 90, {}), "WebP");
}

TEST(PictureProbeTest, TellsTheStoredSizeOfATurnedPicture) {
  const auto header = ProbePicture(PictureData("exif6.jpg"));
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->width, 21);
  EXPECT_EQ(header->height, 13);
  EXPECT_EQ(Decode(PictureData("exif6.jpg"))->width, 13);
}

TEST(PictureProbeTest, NeedsNoPixels) {
  const std::string file = *EncodePng(Scene(300, 200), {});
  const auto header = ProbePicture(file.substr(0, file.find("IDAT") + 4));
  ASSERT_THAT(header, IsOk());
  EXPECT_EQ(header->width, 300);
}

TEST(PictureProbeTest, RefusesBrokenHeaders) {
  for (const char* name : {"rgb_png.png", "rgb_jpg.jpg", "lossy.webp"}) {
    EXPECT_THAT(ProbePicture(PictureData(name).substr(0, 15)),
                StatusIs(kInvalid, "cannot be read: "))
        << name;
  }
}

TEST(ToTensorTest, EqualsTheReferenceToTheBit) {
  Pixels pixels{.width = 256, .height = 1, .rgb = ""};
  for (int i = 0; i < 256; ++i) pixels.rgb += std::string(3, char(i));
  const at::Tensor tensor = ToTensor(pixels);
  ASSERT_EQ(tensor.sizes(), (std::vector<int64_t>{1, 3, 1, 256}));
  for (int i = 0; i < 256; ++i) {
    const float unit = static_cast<float>(i) / 255.0f;
    const float expected = 2.0f * unit - 1.0f;
    EXPECT_EQ(tensor[0][1][0][i].item<float>(), expected) << i;
  }
}

TEST(ToTensorTest, ToPixelsBringsTheBytesBack) {
  const Pixels scene = Scene(37, 23);
  const at::Tensor tensor = ToTensor(scene);
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_EQ(ToPixels(tensor).rgb, scene.rgb);
}

// What is painted: by brightness, where transparency is black, or where it is
// transparent, whatever its colour.
TEST(PictureDecoderTest, ReadsMasksByBrightnessOrTransparency) {
  const std::string file = PictureData("rgba.png");
  const std::string rgba = (*(*OpenPicture(file))->Read()).rgba;
  const auto bright =
      DecodeMask(file, PictureLimits(), MaskSource::kBrightness);
  const auto open =
      DecodeMask(file, PictureLimits(), MaskSource::kTransparency);
  ASSERT_THAT(bright, IsOk());
  ASSERT_THAT(open, IsOk());
  ASSERT_EQ(bright->rgb.size() / 3, rgba.size() / 4);
  const auto byte = [](const std::string& bytes, size_t i) {
    return static_cast<int>(static_cast<unsigned char>(bytes[i]));
  };
  for (size_t i = 0; i < rgba.size() / 4; ++i) {
    const int alpha = byte(rgba, 4 * i + 3);
    const double grey = 0.299 * byte(rgba, 4 * i) +
                        0.587 * byte(rgba, 4 * i + 1) +
                        0.114 * byte(rgba, 4 * i + 2);
    EXPECT_NEAR(byte(bright->rgb, 3 * i), grey * alpha / 255, 1.5);
    EXPECT_EQ(byte(open->rgb, 3 * i + 1), 255 - alpha);
  }
  EXPECT_THAT(DecodeMask("x", PictureLimits(), MaskSource::kBrightness),
              StatusIs(kInvalid, ""));
}

}  // namespace
}  // namespace genzo
