#include "server/resolve/inpainting.h"

#include <functional>

#include "server/resolve/request_resolver.h"
#include "tests/server/resolve/resolver_model.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

// Of 21x13 pixels, as most there; exif6 is stored on its side.
std::string FileOf(const std::string& name) {
  return ReadFile(SourcePath("tests/data/pictures/" + name));
}

v1::Model InpaintingModel() {
  v1::Model model = ResolverModel();
  model.mutable_limits()->set_min_side(8);
  model.clear_tasks();
  model.add_tasks(v1::TASK_IMAGE_TO_IMAGE);
  model.add_tasks(v1::TASK_INPAINTING);
  return model;
}

GenerateRequest MaskedRequest() {
  GenerateRequest request;
  request.mutable_image_to_image()->set_image(FileOf("rgb_png.png"));
  request.mutable_inpainting()->mutable_mask()->set_data(FileOf("bilevel.png"));
  return request;
}

absl::StatusOr<GenerateRequest> ResolveMasked(
    const GenerateRequest& request,
    const v1::Model& model = InpaintingModel()) {
  return ResolveRequest(request, model, RequestLimits(), /*drawn_seed=*/1);
}

TEST(ResolveInpaintingTest, FillsInWhatIsLeftOut) {
  const auto resolved = ResolveMasked(MaskedRequest());
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->width(), 16u) << "the picture's 21, a multiple of 8";
  EXPECT_EQ(resolved->height(), 8u);
  EXPECT_EQ(resolved->inpainting().padding(), 32u);
  EXPECT_EQ(resolved->inpainting().mask().sha256().size(), 32u);
  EXPECT_EQ(resolved->inpainting().mask().bytes(),
            FileOf("bilevel.png").size());
  EXPECT_EQ(resolved->image_to_image().strength(), 0.8);
}

TEST(ResolveInpaintingTest, OnlyTheMaskedRegionHasTheModelsSize) {
  GenerateRequest request = MaskedRequest();
  request.mutable_inpainting()->set_only_masked(true);
  const auto resolved = ResolveMasked(request);
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->width(), 128u);
}

TEST(ResolveInpaintingTest, BordersMakeThePictureLargerAndStartAtNoise) {
  GenerateRequest request;
  request.mutable_image_to_image()->set_image(FileOf("rgb_png.png"));
  request.mutable_outpainting()->set_left(24);
  request.mutable_outpainting()->set_bottom(16);
  const auto resolved = ResolveMasked(request);
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->width(), 40u);
  EXPECT_EQ(resolved->height(), 24u);
  EXPECT_EQ(resolved->image_to_image().strength(), 1);
}

TEST(ResolveInpaintingTest, ModelsThatSeeMasksStartAtNoise) {
  v1::Model model = InpaintingModel();
  model.clear_tasks();
  model.add_tasks(v1::TASK_INPAINTING);
  EXPECT_EQ(ResolveMasked(MaskedRequest(), model)->image_to_image().strength(),
            1);
}

TEST(ResolveInpaintingTest, AMaskMayLieAsAPictureThatIsStoredOnItsSide) {
  GenerateRequest request = MaskedRequest();
  request.mutable_image_to_image()->set_image(FileOf("exif6.jpg"));
  EXPECT_THAT(ResolveMasked(request), IsOk());
}

TEST(ResolveInpaintingTest, NamesFieldValueAndLimit) {
  const auto expect = [](const std::function<void(GenerateRequest&)>& change,
                         const std::string& text) {
    GenerateRequest request = MaskedRequest();
    change(request);
    EXPECT_THAT(ResolveMasked(request), StatusIs(kInvalid, text));
  };
  const std::string large = ReadFile(SourcePath("docs/images/developing.png"));
  expect(
      [&](auto& r) { r.mutable_inpainting()->mutable_mask()->set_data(large); },
      "not 21x13 as image_to_image.image");
  expect([](auto& r) { r.clear_image_to_image(); },
         "inpainting: image_to_image is missing");
  expect([](auto& r) { r.mutable_inpainting()->clear_mask(); },
         "inpainting.mask.data is empty");
  expect([](auto& r) { r.mutable_inpainting()->mutable_mask()->set_data("x"); },
         "inpainting.mask.data: ");
  expect(
      [](auto& r) { r.mutable_inpainting()->mutable_mask()->set_sha256("x"); },
      "inpainting.mask.sha256");
  expect([](auto& r) { r.mutable_inpainting()->set_mask_blur(65); },
         "inpainting.mask_blur 65 is not between 0 and 64");
  expect([](auto& r) { r.mutable_inpainting()->set_padding(257); },
         "inpainting.padding 257 is not between 0 and 256");
  expect(
      [](auto& r) {
        r.mutable_inpainting()->set_fill(static_cast<v1::Inpainting::Fill>(9));
      },
      "inpainting.fill 9");
  expect([](auto& r) { r.mutable_outpainting(); },
         "outpainting has no border over 0");
  expect(
      [](auto& r) {
        r.set_width(64);
        r.mutable_outpainting()->set_left(30);
        r.mutable_outpainting()->set_right(30);
      },
      "outpainting.left 60 in all leave of width 64 less than 8 pixels");
  expect(
      [](auto& r) {
        r.mutable_outpainting()->set_top(4294967295u);
        r.mutable_outpainting()->set_bottom(4294967295u);
      },
      "outpainting.top 8589934590");
  expect(
      [](auto& r) {
        r.mutable_inpainting()->set_only_masked(true);
        r.mutable_outpainting()->set_left(8);
      },
      "inpainting.only_masked does not go with outpainting");
}

TEST(ResolveInpaintingTest, RefusesModelsThatCannot) {
  v1::Model model = InpaintingModel();
  model.clear_tasks();
  model.add_tasks(v1::TASK_TEXT_TO_IMAGE);
  model.add_tasks(v1::TASK_IMAGE_TO_IMAGE);
  EXPECT_THAT(ResolveMasked(MaskedRequest(), model),
              StatusIs(kInvalid,
                       "inpainting: model \"tiny\" does not offer "
                       "TASK_INPAINTING"));
}

}  // namespace
}  // namespace genzo
