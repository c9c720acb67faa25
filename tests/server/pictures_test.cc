// What becomes of finished pictures, through a real server.

#include "base/api_keys.h"
#include "base/durable_file.h"
#include "base/pictures/picture_metadata.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/matchers.h"
#include "tests/testing/server.h"
#include "tests/testing/tiny_clip.h"
#include "worker/media/provenance.h"

namespace genzo {
namespace {

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("a penguin in the snow");
  request.set_seed(3);
  request.set_steps(2);
  return request;
}

// A configuration with the box's scorer and a checker that finds everything
// unsafe.
class PicturesTest : public ::testing::Test {
 protected:
  PicturesTest() {
    RandomTensors tensors = RandomClipVision();
    for (const char* kind : {"concept", "special_care"}) {
      tensors.Add(absl::StrCat(kind, "_embeds"), {1, 6});
      tensors.AddValue(absl::StrCat(kind, "_embeds_weights"), {1}, -2);
    }
    tensors.Write(folder_.path(), "model.safetensors");
    folder_.Write("config.json", kTinyClipVisionConfig);
    config_.scorers = {{.id = "emaki",
                        .path = SourcePath("models/emaki/scorer"),
                        .aesthetic_head = {}}};
    config_.limits.pictures.scorers = {"emaki"};
    config_.safety.checker = folder_.path();
    config_.limits.pictures.safety = config_.safety;
  }

  static std::vector<v1::JobEvent> Run(const Server& server,
                                       const v1::GenerateRequest& request) {
    Call call(server, request);
    auto events = call.Rest();
    EXPECT_TRUE(call.status().ok()) << call.status().error_message();
    return events;
  }

  const TestFolder folder_;
  Config config_ = TinyConfig();
};

TEST_F(PicturesTest, TheBestOfSeveralComeAsScoreScoresThem) {
  const Server server(config_);
  v1::GenerateRequest request = Request();
  request.set_image_count(2);
  request.mutable_best_of()->set_draw(4);
  request.mutable_best_of()->set_scorer("emaki");
  std::vector<v1::Image> images;
  std::set<uint32_t> drawn;
  for (const v1::JobEvent& event : Run(server, request)) {
    if (event.has_progress()) drawn.insert(event.progress().image_index());
    if (event.has_image()) images.push_back(event.image());
  }
  EXPECT_EQ(drawn.size(), 4u);
  ASSERT_EQ(images.size(), 2u);
  EXPECT_GE(images[0].score(), images[1].score());

  v1::ScoreRequest asked;
  asked.set_scorer("emaki");
  asked.set_prompt(request.prompt());
  for (const v1::Image& image : images) {
    asked.add_pictures()->set_data(image.picture().data());
  }
  grpc::ClientContext context;
  v1::ScoreResponse scores;
  const grpc::Status status = v1::PictureScoring::NewStub(server.Channel())
                                  ->Score(&context, asked, &scores);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(scores.scores_size(), 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(scores.scores(i).score(), images[i].score(), 1e-3);
  }

  // The seed makes the image again, the file but for the request it tells.
  request.clear_best_of();
  request.set_image_count(1);
  request.set_seed(images[0].seed());
  for (const v1::JobEvent& event : Run(server, request)) {
    if (event.has_image()) {
      EXPECT_FALSE(event.image().has_score());
    }
  }
}

TEST_F(PicturesTest, ScoringNamesWhatIsWrong) {
  const Server server(config_);
  const auto ask = [&](const v1::ScoreRequest& request) {
    grpc::ClientContext context;
    v1::ScoreResponse scores;
    return v1::PictureScoring::NewStub(server.Channel())
        ->Score(&context, request, &scores);
  };
  v1::ScoreRequest request;
  EXPECT_THAT(DetailsOf(ask(request)),
              StatusIs(absl::StatusCode::kInvalidArgument, "prompt is empty"));
  request.set_prompt("a fox");
  EXPECT_THAT(DetailsOf(ask(request)),
              StatusIs(absl::StatusCode::kInvalidArgument, "pictures has 0"));
  request.add_pictures()->set_data("no picture");
  EXPECT_EQ(ReasonOf(ask(request)), "INVALID_FIELD");
  request.set_scorer("nobody");
  request.mutable_pictures(0)->set_data(
      ReadFile(SourcePath("docs/images/developing.png")));
  EXPECT_EQ(ReasonOf(ask(request)), "SCORER_NOT_FOUND");
  request.clear_scorer();
  EXPECT_EQ(ReasonOf(ask(request)), "SCORER_NOT_FOUND")
      << "the tiny model has none of its own";
}

TEST_F(PicturesTest, ScorersAreListed) {
  config_.limits.pictures.scorers = {"taste", "emaki"};
  config_.limits.pictures.aesthetic = {"taste"};
  const Server server(config_);
  const auto stub = v1::PictureScoring::NewStub(server.Channel());
  const auto ask = [&](const v1::ListScorersRequest& request,
                       v1::ListScorersResponse& page) {
    grpc::ClientContext context;
    return stub->ListScorers(&context, request, &page);
  };
  v1::ListScorersRequest request;
  v1::ListScorersResponse list, page;
  ASSERT_TRUE(ask(request, list).ok());
  ASSERT_EQ(list.scorers_size(), 2);
  EXPECT_EQ(list.scorers(0).name(), "emaki");
  EXPECT_TRUE(list.scorers(0).reads_prompt());
  EXPECT_EQ(list.scorers(1).name(), "taste");
  EXPECT_FALSE(list.scorers(1).reads_prompt());
  request.set_page_size(1);
  ASSERT_TRUE(ask(request, page).ok());
  ASSERT_EQ(page.scorers_size(), 1);
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(ask(request, page).ok());
  ASSERT_EQ(page.scorers_size(), 1);
  EXPECT_EQ(page.scorers(0).name(), "taste");
  EXPECT_EQ(page.next_page_token(), "");
  request.set_page_size(-1);
  EXPECT_EQ(ask(request, page).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(PicturesTest, AKeyScoresByItsModelsAlone) {
  Grant grant;
  grant.scopes = {kScopeGenerate};
  grant.models = {"other"};
  const MadeKey key = MakeKey(grant, absl::FromUnixSeconds(0));
  config_.auth.keys_file = folder_.path() + "/keys.json";
  ASSERT_THAT(WriteDurably(config_.auth.keys_file, FormatKeys({key.stored})),
              IsOk());
  const Server server(config_);
  const auto ask = [&](const std::string& scorer) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + key.text);
    v1::ScoreRequest request;
    request.set_scorer(scorer);
    request.set_prompt("a fox");
    request.add_pictures()->set_data(
        ReadFile(SourcePath("docs/images/developing.png")));
    v1::ScoreResponse scores;
    return v1::PictureScoring::NewStub(server.Channel())
        ->Score(&context, request, &scores);
  };
  EXPECT_EQ(ReasonOf(ask("")), "MODEL_NOT_ALLOWED");
  EXPECT_TRUE(ask("emaki").ok()) << "a scorer of the server's is no model";
}

TEST_F(PicturesTest, APolicyWithholdsAndTheJobSucceeds) {
  config_.limits.pictures.safety.policy = v1::SAFETY_POLICY_REFUSE;
  const Server server(config_);
  v1::GenerateRequest request = Request();
  request.set_safety_policy(v1::SAFETY_POLICY_OFF);
  request.mutable_preview()->set_every(1);
  const auto events = Run(server, request);
  size_t withheld = 0;
  for (const v1::JobEvent& event : events) {
    EXPECT_FALSE(event.has_image());
    EXPECT_FALSE(event.has_preview());
    if (!event.has_image_withheld()) continue;
    ++withheld;
    EXPECT_EQ(event.image_withheld().safety(), "nsfw");
    EXPECT_EQ(event.image_withheld().seed(), 3u);
  }
  EXPECT_EQ(withheld, 1u);
  EXPECT_TRUE(Succeeded(events.back()));
}

TEST_F(PicturesTest, FilesTellThatAMachineMadeThem) {
  const Server server(config_);
  for (const auto format :
       {v1::IMAGE_FORMAT_PNG, v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    v1::GenerateRequest request = Request();
    request.mutable_output()->set_format(format);
    for (const v1::JobEvent& event : Run(server, request)) {
      if (!event.has_image()) continue;
      const auto text = ReadPictureText(event.image().picture().data());
      ASSERT_THAT(text, IsOk());
      const auto provenance = ReadXmp(TextOf(*text, kXmpKey));
      ASSERT_TRUE(provenance.has_value());
      EXPECT_EQ(provenance->source_type, "trainedAlgorithmicMedia");
    }
  }
}

}  // namespace
}  // namespace genzo
