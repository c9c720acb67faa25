#include "worker/engine/picture_finisher.h"

#include "base/errors.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_clip.h"
#include "worker/media/provenance.h"
#include "worker/media/watermark.h"

namespace genzo {
namespace {

// A checker that finds every picture unsafe, or none.
void WriteChecker(const TestFolder& folder, bool unsafe) {
  RandomTensors tensors = RandomClipVision();
  tensors.Add("concept_embeds", {1, 6});
  tensors.Add("special_care_embeds", {1, 6});
  // No cosine is below -1 or over 1.
  tensors.AddValue("concept_embeds_weights", {1}, unsafe ? -2 : 2);
  tensors.AddValue("special_care_embeds_weights", {1}, 2);
  tensors.Write(folder.path(), "model.safetensors");
  folder.Write("config.json", kTinyClipVisionConfig);
}

class PictureFinisherTest : public ::testing::Test {
 protected:
  PictureFinisherTest() {
    WriteChecker(folder_, /*unsafe=*/true);
    pixels_ = {.width = 96, .height = 96, .rgb = {}};
    for (int i = 0; i < 96 * 96 * 3; ++i) {
      pixels_.rgb += static_cast<char>(i * 7919 % 251);
    }
    request_.set_model("tiny");
    request_.set_safety_policy(v1::SAFETY_POLICY_OFF);
  }

  PictureFinisher::Finished Finish() {
    const auto finished = finisher_.Finish(request_, /*seed=*/7, pixels_);
    EXPECT_THAT(finished, IsOk());
    return finished.value_or(PictureFinisher::Finished());
  }

  const TestFolder folder_;
  PictureJudges judges_{{}, folder_.path(), c10::Device(c10::kCPU)};
  const PictureFinisher finisher_{judges_};
  Pixels pixels_;
  v1::GenerateRequest request_;
};

TEST_F(PictureFinisherTest, ChecksOnlyWhereAPolicySaysSo) {
  const auto finished = Finish();
  EXPECT_EQ(finished.pixels.rgb, pixels_.rgb);
  EXPECT_EQ(finished.safety, "");
  EXPECT_FALSE(finished.withheld);
}

TEST_F(PictureFinisherTest, MarksBlursOrWithholds) {
  request_.set_safety_policy(v1::SAFETY_POLICY_MARK);
  EXPECT_EQ(Finish().safety, "nsfw");
  EXPECT_EQ(Finish().pixels.rgb, pixels_.rgb);
  EXPECT_EQ(finisher_.Preview(request_, pixels_)->pixels.rgb, pixels_.rgb);

  request_.set_safety_policy(v1::SAFETY_POLICY_BLUR);
  const auto blurred = Finish();
  EXPECT_EQ(blurred.safety, "nsfw");
  EXPECT_EQ(blurred.pixels.width, 96);
  EXPECT_NE(blurred.pixels.rgb, pixels_.rgb);
  EXPECT_NE(finisher_.Preview(request_, pixels_)->pixels.rgb, pixels_.rgb);

  request_.set_safety_policy(v1::SAFETY_POLICY_REFUSE);
  const auto refused = Finish();
  EXPECT_TRUE(refused.withheld);
  EXPECT_TRUE(refused.pixels.rgb.empty());
  EXPECT_FALSE(finisher_.Preview(request_, pixels_).has_value());
}

// One of the last step, decoded in full, is the picture.
TEST_F(PictureFinisherTest, PreviewsHaveTheMarksButNotTheRequest) {
  EXPECT_TRUE(finisher_.Preview(request_, pixels_)->text.empty());
  v1::OutputOptions& output = *request_.mutable_output();
  output.set_mark_provenance(true);
  output.set_embed_parameters(true);
  output.set_watermark(true);
  const auto look = finisher_.Preview(request_, pixels_);
  EXPECT_NE(look->pixels.rgb, pixels_.rgb);
  const auto mark = ReadXmp(TextOf(look->text, kXmpKey));
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->source_type, "trainedAlgorithmicMedia");
  EXPECT_EQ(mark->request_json, "");
}

TEST_F(PictureFinisherTest, WhatCannotBeCheckedIsNotSent) {
  PictureJudges none({}, /*safety_checker=*/"", c10::Device(c10::kCPU));
  const PictureFinisher finisher(none);
  request_.set_safety_policy(v1::SAFETY_POLICY_MARK);
  const auto finished = finisher.Finish(request_, 7, pixels_);
  EXPECT_EQ(ErrorReason(finished.status()), "CHECKER_FAILED");
  request_.set_safety_policy(v1::SAFETY_POLICY_REFUSE);
  EXPECT_FALSE(finisher.Preview(request_, pixels_).has_value());
}

TEST_F(PictureFinisherTest, MarksWhatTheRequestSays) {
  EXPECT_EQ(TextOf(Finish().text, kXmpKey), "");
  request_.mutable_output()->set_mark_provenance(true);
  const auto provenance = ReadXmp(TextOf(Finish().text, kXmpKey));
  ASSERT_TRUE(provenance.has_value());
  EXPECT_EQ(provenance->source_type, "trainedAlgorithmicMedia");
  EXPECT_LT(FindWatermark(Finish().pixels), kWatermarkFound);
  request_.mutable_output()->set_watermark(true);
  EXPECT_GT(FindWatermark(Finish().pixels), kWatermarkFound);
}

TEST_F(PictureFinisherTest, WhatWasNotPaintedKeepsItsBytes) {
  request_.mutable_output()->set_watermark(true);
  std::vector<uint8_t> painted(96 * 96, 0);
  std::fill_n(painted.begin(), 48 * 96, uint8_t{255});
  const auto finished =
      finisher_.Finish(request_, 7, pixels_, /*image_index=*/0, painted);
  ASSERT_THAT(finished, IsOk());
  const size_t half = size_t{3} * 48 * 96;
  EXPECT_NE(finished->pixels.rgb.substr(0, half), pixels_.rgb.substr(0, half));
  EXPECT_EQ(finished->pixels.rgb.substr(half), pixels_.rgb.substr(half));
}

TEST_F(PictureFinisherTest, ScoresByTheModelsOwnScorer) {
  judges_.AddModel("emaki", SourcePath("models/emaki"));
  request_.mutable_best_of()->set_draw(2);
  request_.set_model("emaki");
  request_.set_prompt("a penguin in the snow");
  const auto finished = Finish();
  ASSERT_TRUE(finished.score.has_value());
  EXPECT_LE(std::abs(*finished.score), 100);
  EXPECT_EQ(Finish().score, finished.score);
  request_.mutable_best_of()->set_scorer("other");
  EXPECT_EQ(ErrorReason(finisher_.Finish(request_, 7, pixels_).status()),
            "SCORER_NOT_FOUND");
}

TEST(JudgedFieldsTest, TellWhatTheModelHas) {
  EXPECT_THAT(JudgedFields(SourcePath("models/emaki")),
              ::testing::ElementsAre("best_of"));
  EXPECT_THAT(JudgedFields(TinyModelFolder()), ::testing::IsEmpty());
}

}  // namespace
}  // namespace genzo
