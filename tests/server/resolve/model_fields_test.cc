#include "server/resolve/model_fields.h"

#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/resolve/request_resolver.h"
#include "tests/server/resolve/resolver_model.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

// Fields that only some models take.
class ModelFieldsTest : public ::testing::Test {
 protected:
  absl::StatusOr<GenerateRequest> ResolveFor(
      const std::vector<std::string>& fields,
      const std::function<void(GenerateRequest&)>& change) {
    v1::Model model = ResolverModel();
    model.mutable_limits()->set_max_clip_skip(2);
    model.clear_request_fields();
    for (const std::string& field : fields) model.add_request_fields(field);
    GenerateRequest request;
    request.set_prompt("a fox");
    change(request);
    RequestLimits limits;
    limits.max_prompt_bytes = 100;
    return ResolveRequest(request, model, limits, /*drawn_seed=*/99);
  }
};

TEST_F(ModelFieldsTest, AModelRefusesWhatItDoesNotTakeByName) {
  const std::vector<std::string> fields = {"image_to_image.strength"};
  EXPECT_THAT(ResolveFor(fields, [](auto& r) { r.set_prompt_2("a"); }),
              StatusIs(kInvalid, "prompt_2: model \"tiny\" does not take it"));
  EXPECT_THAT(ResolveFor(fields, [](auto& r) { r.mutable_refiner(); }),
              StatusIs(kInvalid, "refiner: model"));
  EXPECT_THAT(
      ResolveFor(fields, [](auto& r) { r.mutable_size_conditioning(); }),
      StatusIs(kInvalid, "size_conditioning: model"));
  EXPECT_THAT(
      ResolveFor(fields, [](auto& r) { r.set_image_guidance_scale(2); }),
      StatusIs(kInvalid, "image_guidance_scale: model"));
  EXPECT_THAT(
      ResolveFor(
          {"refiner.aesthetic_score", "refiner.negative_aesthetic_score"},
          [](auto& r) { r.mutable_refiner()->set_switch_at(0.5); }),
      StatusIs(kInvalid, "refiner.switch_at: model"));
}

TEST_F(ModelFieldsTest, ARefinersFieldsAreFilledIn) {
  const auto resolved =
      ResolveFor({"refiner.switch_at", "refiner.aesthetic_score",
                  "refiner.negative_aesthetic_score"},
                 [](auto& r) { r.mutable_refiner()->set_aesthetic_score(7); });
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->refiner().switch_at(), 0.8);
  EXPECT_EQ(resolved->refiner().aesthetic_score(), 7);
  EXPECT_EQ(resolved->refiner().negative_aesthetic_score(), 2.5);
}

TEST_F(ModelFieldsTest, TheirRangesAreChecked) {
  const std::vector<std::string> fields = {
      "prompt_2", "refiner.switch_at", "size_conditioning",
      "refiner.aesthetic_score", "image_guidance_scale"};
  EXPECT_THAT(
      ResolveFor(fields,
                 [](auto& r) { r.mutable_refiner()->set_switch_at(2); }),
      StatusIs(kInvalid, "refiner.switch_at 2 is not between 0 and 1"));
  EXPECT_THAT(
      ResolveFor(fields,
                 [](auto& r) { r.mutable_refiner()->set_aesthetic_score(11); }),
      StatusIs(kInvalid, "refiner.aesthetic_score 11"));
  EXPECT_THAT(
      ResolveFor(fields, [](auto& r) { r.set_image_guidance_scale(0.5); }),
      StatusIs(kInvalid, "image_guidance_scale 0.5 is not between 1"));
  EXPECT_THAT(
      ResolveFor(
          fields,
          [](auto& r) {
            r.mutable_size_conditioning()->mutable_negative()->set_crop_top(
                16385);
          }),
      StatusIs(kInvalid, "size_conditioning.negative.crop_top 16385"));
  EXPECT_THAT(
      ResolveFor(fields,
                 [](auto& r) { r.set_prompt_2(std::string(101, 'a')); }),
      StatusIs(kInvalid, "prompt_2 has 101 bytes"));
}

TEST_F(ModelFieldsTest, ANoiseLevelIsForModelsThatNoiseWhatTheySee) {
  const auto resolve = [&](const std::string& field, uint32_t level) {
    return ResolveFor({field}, [&](auto& r) { r.set_noise_level(level); });
  };
  EXPECT_THAT(resolve("noise_level", 0), IsOk());
  EXPECT_THAT(resolve("other", 0), StatusIs(kInvalid, "noise_level: model"));
  EXPECT_THAT(resolve("noise_level", 1000),
              StatusIs(kInvalid, "noise_level 1000 is not between 0 and 999"));
}

TEST_F(ModelFieldsTest, ATinyDecoderIsRefusedWhereThereIsNone) {
  EXPECT_THAT(
      ResolveFor({"other"},
                 [](auto& r) { r.mutable_output()->set_tiny_decoder(true); }),
      StatusIs(kInvalid, "output.tiny_decoder true: model \"tiny\" has no"));
}

TEST_F(ModelFieldsTest, FieldsOfTransformersAreTheirs) {
  const auto expect = [&](const std::string& field, const auto& change,
                          const std::string& message) {
    EXPECT_THAT(ResolveFor({"other"}, change),
                StatusIs(kInvalid, field + ": model \"tiny\" does not take"));
    EXPECT_THAT(ResolveFor({field}, change), StatusIs(kInvalid, message));
  };
  const std::string text(101, 'a');
  expect(
      "prompt_3", [&](auto& r) { r.set_prompt_3(text); },
      "prompt_3 has 101 bytes");
  expect(
      "negative_prompt_3", [&](auto& r) { r.set_negative_prompt_3(text); },
      "negative_prompt_3 has 101 bytes");
  expect(
      "true_guidance_scale", [](auto& r) { r.set_true_guidance_scale(-1); },
      "true_guidance_scale -1 is not between 0 and 100");
  for (const uint32_t length : {0u, 513u}) {
    expect(
        "max_sequence_length",
        [&](auto& r) { r.set_max_sequence_length(length); },
        absl::StrCat("max_sequence_length ", length,
                     " is not between 1 and 512"));
  }
  const auto label = [](auto& r) { r.set_class_label(0); };
  EXPECT_THAT(ResolveFor({"other"}, label), StatusIs(kInvalid, "class_label"));
  EXPECT_THAT(ResolveFor({"class_label"}, label), IsOk());
}

TEST_F(ModelFieldsTest, AModelThatFollowsAPictureHasNoStrength) {
  const auto resolve = [&](std::optional<double> strength) {
    return ResolveFor({"image_guidance_scale"}, [&](auto& r) {
      r.mutable_image_to_image()->set_image(
          ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
      if (strength) r.mutable_image_to_image()->set_strength(*strength);
    });
  };
  const auto resolved = resolve(std::nullopt);
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->image_to_image().strength(), 1);
  EXPECT_EQ(resolved->image_guidance_scale(), 1.5);
  EXPECT_THAT(resolve(0.5),
              StatusIs(kInvalid, "image_to_image.strength 0.5 is not 1"));
}

// DiT, say.
TEST_F(ModelFieldsTest, AModelThatTakesNoPictureIsNotSaidToFollowOne) {
  v1::Model model = ResolverModel();
  model.clear_tasks();
  model.add_tasks(v1::TASK_TEXT_TO_IMAGE);
  model.clear_request_fields();
  model.add_request_fields("class_label");
  GenerateRequest request;
  request.mutable_image_to_image()->set_image("bytes");
  request.mutable_image_to_image()->set_strength(0.5);
  const absl::Status refused =
      ResolveRequest(request, model, RequestLimits(), /*drawn_seed=*/1)
          .status();
  EXPECT_THAT(refused, StatusIs(kInvalid,
                                "image_to_image: model \"tiny\" does not "
                                "offer TASK_IMAGE_TO_IMAGE"));
  EXPECT_FALSE(absl::StrContains(refused.message(), "strength"));
}

}  // namespace
}  // namespace genzo
