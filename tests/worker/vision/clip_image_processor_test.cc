#include "worker/vision/clip_image_processor.h"

#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

constexpr char kFile[] = "preprocessor_config.json";

Pixels Grey(int width, int height, char value) {
  return {.width = width,
          .height = height,
          .rgb = std::string(size_t{3} * width * height, value)};
}

TEST(ClipImageProcessorTest, NamesBadValues) {
  const struct {
    const char* json;
    const char* fault;
  } cases[] = {
      {R"({"do_resize":false})", "do_resize"},
      {R"({"resample":0})", "resample 0"},
      {R"({"size":{"height":16}})", "size"},
      {R"({"size":16,"crop_size":17})", "crop_size 17"},
      {R"({"size":8,"crop_size":16})", "size 8"},
      {R"({"size":16,"do_center_crop":false})", "size 16"},
      {R"({"size":16,"crop_size":16,"image_std":[1,1]})", "image_std"},
      {R"({"size":16,"crop_size":16,"image_std":[1,0,1]})", "image_std"}};
  for (const auto& c : cases) {
    const TestFolder folder;
    folder.Write(kFile, c.json);
    const auto read = ClipImageProcessor::Read(folder.path(), 16);
    ASSERT_FALSE(read.ok()) << c.json;
    EXPECT_THAT(std::string(read.status().message()),
                ::testing::AllOf(::testing::HasSubstr(kFile),
                                 ::testing::HasSubstr(c.fault)));
  }
}

TEST(ClipImageProcessorTest, NormalisesAsTheFileSays) {
  const TestFolder folder;
  folder.Write(kFile, R"({"size":{"height":4,"width":4},"do_center_crop":false,
      "image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.25]})");
  const auto processor = ClipImageProcessor::Read(folder.path(), 4);
  ASSERT_THAT(processor, IsOk());
  const at::Tensor pixels = processor->Process(Grey(9, 5, '\xff'));
  ASSERT_EQ(pixels.sizes(), at::IntArrayRef({1, 3, 4, 4}));
  EXPECT_FLOAT_EQ(pixels[0][0][0][0].item<float>(), 1);
  EXPECT_FLOAT_EQ(pixels[0][2][3][3].item<float>(), 2);
}

TEST(ClipImageProcessorTest, ReadsTheProcessorsFileWhereThatIsAll) {
  const TestFolder folder;
  folder.Write("processor_config.json", R"({"image_processor":{
      "size":{"height":4,"width":4},"do_center_crop":false,
      "image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.25]}})");
  const auto processor = ClipImageProcessor::Read(folder.path(), 4);
  ASSERT_THAT(processor, IsOk());
  const at::Tensor pixels = processor->Process(Grey(9, 5, '\xff'));
  EXPECT_FLOAT_EQ(pixels[0][2][3][3].item<float>(), 2);
  folder.Write("processor_config.json",
               R"({"image_processor":{"resample":9}})");
  EXPECT_THAT(ClipImageProcessor::Read(folder.path(), 4),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "processor_config.json: image_processor: resample 9"));
  folder.Write("processor_config.json", R"({"image_processor":4})");
  EXPECT_THAT(ClipImageProcessor::Read(folder.path(), 4),
              StatusIs(absl::StatusCode::kInvalidArgument, "image_processor"));
  folder.Write("processor_config.json", R"({"processor_class":"x"})");
  EXPECT_THAT(ClipImageProcessor::Read(folder.path(), 4), IsOk());
}

TEST(ClipImageProcessorTest, CutsTheMiddleOut) {
  // Black borders beside a white square.
  Pixels wide = Grey(48, 16, '\0');
  for (int y = 0; y < 16; ++y) {
    wide.rgb.replace(3 * (48 * y + 16), 48, std::string(48, '\xff'));
  }
  const ClipImageProcessor processor(16);
  EXPECT_THAT(processor.Process(wide),
              TensorNear(processor.Process(Grey(16, 16, '\xff')), 0));
}

TEST(ClipImageProcessorTest, AThinPictureIsNoReasonToTakeMuchMemory) {
  const ClipImageProcessor processor(16);
  EXPECT_THAT(processor.Process(Grey(1 << 20, 1, '\x40')),
              TensorNear(processor.Process(Grey(16, 16, '\x40')), 0));
}

}  // namespace
}  // namespace genzo
