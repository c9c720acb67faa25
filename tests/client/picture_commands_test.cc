// `genzo score` and `genzo upscale`.

#include <filesystem>

#include "client/generate_command.h"
#include "client/score_command.h"
#include "client/upscale_command.h"
#include "nlohmann/json.hpp"
#include "tests/client/commands_fixture.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(CommandsTest, ScoresStandBesideTheirFiles) {
  const std::string path = folder_.Write("a.png", "first");
  answers_.scores.add_scores()->set_score(0.25);
  const Outcome outcome =
      Run<ScoreCommand>({"score", path, "-p", "a fox", "--scorer", "clip"});
  EXPECT_EQ(outcome.out, "   0.250  " + path + "\n");
  EXPECT_THAT(answers_.asked[0],
              AllOf(HasSubstr("scorer: \"clip\""), HasSubstr("data: \"first\""),
                    HasSubstr("prompt: \"a fox\"")));
}

TEST_F(CommandsTest, ScoresAsJsonAreAnObjectAFile) {
  const std::string path = folder_.Write("a.png", "first");
  answers_.scores.add_scores()->set_score(0.25);
  const auto json =
      nlohmann::json::parse(Run<ScoreCommand>({"score", path, "--json"}).out);
  EXPECT_EQ(json, nlohmann::json({{"path", path}, {"score", 0.25}}));
}

TEST_F(CommandsTest, ListsAreJsonWhereThatIsAskedFor) {
  const auto scorers = nlohmann::json::parse(
      Run<ScoreCommand>({"score", "--list", "--json"}).out);
  EXPECT_TRUE(scorers["scorers"].is_array()) << "even if it is empty";
  answers_.upscalers.add_upscalers()->set_name("lanczos");
  const auto upscalers = nlohmann::json::parse(
      Run<UpscaleCommand>({"upscale", "--list", "--json"}).out);
  EXPECT_EQ(upscalers["upscalers"][0]["name"], "lanczos");
  EXPECT_EQ(upscalers["upscalers"][0]["scale"], 0);
}

TEST_F(CommandsTest, AListWithoutScorersSaysSo) {
  const Outcome outcome = Run<ScoreCommand>({"score", "--list"});
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.error, HasSubstr("no scorers but the models' own"));
}

TEST_F(CommandsTest, ScorersAreListed) {
  v1::Scorer& clip = *answers_.scorers.add_scorers();
  clip.set_name("clip");
  clip.set_reads_prompt(true);
  answers_.scorers.add_scorers()->set_name("aesthetic");
  const Outcome outcome = Run<ScoreCommand>({"score", "--list"});
  EXPECT_EQ(outcome.status, kExitOk);
  EXPECT_EQ(outcome.out,
            "clip  how well it fits the prompt\n"
            "aesthetic  how much people would like it\n");
  EXPECT_EQ(Run<ScoreCommand>({"score"}).status, kExitUsage);
}

TEST_F(CommandsTest, AScorerAndAModelAreOneTooMany) {
  const std::string path = folder_.Write("a.png", "first");
  EXPECT_THROW(
      Run<ScoreCommand>({"score", path, "--scorer", "clip", "-m", "emaki"}),
      CLI::ParseError);
}

TEST_F(CommandsTest, AFileThatIsNotThereIsNotScored) {
  EXPECT_THROW(Run<ScoreCommand>({"score", folder_.path() + "/none.png"}),
               CLI::ParseError);
}

TEST_F(CommandsTest, ALargerPictureIsNamedByItsSize) {
  const std::string path = folder_.Write("fox.jpg", "small");
  answers_.events = {ImageOf("large")};
  const Outcome outcome = Run<UpscaleCommand>(
      {"upscale", path, "-x", "2", "--format", "PNG", "-o", folder_.path()});
  EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
  EXPECT_EQ(outcome.out,
            "enlarged to 64 x 32: " + folder_.path() + "/fox-64x32.png\n");
  EXPECT_EQ(ReadFile(folder_.path() + "/fox-64x32.png"), "large");
  EXPECT_THAT(answers_.asked[0],
              AllOf(HasSubstr("factor: 2"), HasSubstr("data: \"small\""),
                    HasSubstr("format: IMAGE_FORMAT_PNG")));
}

TEST_F(CommandsTest, LargerPicturesOfOneNameDoNotReplaceEachOther) {
  const std::string path = folder_.Write("fox.jpg", "small");
  const std::string stem = folder_.path() + "/fox-64x32";
  for (const auto& [bytes, name] :
       {std::pair("one", ".png"), std::pair("two", "-2.png"),
        std::pair("three", "-3.png"), std::pair("two", "-2.png")}) {
    answers_.events = {ImageOf(bytes)};
    const Outcome outcome =
        Run<UpscaleCommand>({"upscale", path, "-o", folder_.path()});
    EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
    EXPECT_THAT(outcome.out, HasSubstr(stem + name + "\n"));
    EXPECT_EQ(ReadFile(stem + name), bytes);
  }
}

TEST_F(CommandsTest, AnAnswerWithoutALargerPictureIsNoSuccess) {
  const std::string path = folder_.Write("fox.jpg", "small");
  EXPECT_EQ(Run<UpscaleCommand>({"upscale", path}).status, kExitFailed);
}

TEST_F(CommandsTest, ALargerPictureThatCannotBeWrittenIsNoSuccess) {
  const std::string path = folder_.Write("fox.jpg", "small");
  answers_.events = {ImageOf("large")};
  std::filesystem::create_directory(folder_.path() + "/fox-64x32.png");
  const Outcome outcome =
      Run<UpscaleCommand>({"upscale", path, "-o", folder_.path()});
  EXPECT_EQ(outcome.status, kExitFailed);
  EXPECT_THAT(outcome.error, HasSubstr("fox-64x32.png cannot be written"));
}

TEST_F(CommandsTest, AFolderThatCannotBeWrittenIsNamedBeforeTheCall) {
  const std::string path = folder_.Write("fox.jpg", "small");
  const std::string folder = "/dev/null/folder";
  for (const Outcome& outcome :
       {Run<UpscaleCommand>({"upscale", path, "-o", folder}),
        Run<GenerateCommand>({"generate", "a fox", "-o", folder}),
        Run<GenerateCommand>({"generate", "a fox", "-o", path})}) {
    EXPECT_EQ(outcome.status, kExitFailed);
    EXPECT_THAT(outcome.error, HasSubstr(" cannot be written: "));
  }
  EXPECT_THAT(answers_.asked, IsEmpty());
}

TEST_F(CommandsTest, AFileThatIsRefusedKeepsNoOtherWaiting) {
  const std::string path = folder_.Write("fox.jpg", "small");
  answers_.status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no fox");
  const Outcome outcome =
      Run<UpscaleCommand>({"upscale", path, path, "-o", folder_.path()});
  EXPECT_EQ(outcome.status, kExitRefused);
  EXPECT_THAT(outcome.error, HasSubstr("genzo: " + path + ": no fox"));
  EXPECT_EQ(answers_.asked.size(), 2u);
}

TEST_F(CommandsTest, UpscalersAreListedWithTheirScale) {
  v1::Upscaler& filter = *answers_.upscalers.add_upscalers();
  filter.set_name("lanczos");
  filter.set_architecture("filter");
  v1::Upscaler& network = *answers_.upscalers.add_upscalers();
  network.set_name("ultra");
  network.set_scale(4);
  network.set_architecture("RRDBNet");
  EXPECT_EQ(Run<UpscaleCommand>({"upscale", "--list"}).out,
            "lanczos  any size  filter\nultra  x4  RRDBNet\n");
}

TEST_F(CommandsTest, EnlargingNeedsAFile) {
  const Outcome outcome = Run<UpscaleCommand>({"upscale"});
  EXPECT_EQ(outcome.status, kExitUsage);
  EXPECT_EQ(outcome.error, "genzo: a file is missing\n");
}

TEST_F(CommandsTest, AFactorAndASizeAreOneTooMany) {
  EXPECT_THROW(
      Run<UpscaleCommand>({"upscale", "a", "-x", "2", "--size", "8,8"}),
      CLI::ParseError);
}

TEST_F(CommandsTest, AFileThatCannotBeReadIsNamedBeforeTheCall) {
  const Outcome outcome = Run<UpscaleCommand>({"upscale", folder_.path()});
  EXPECT_EQ(outcome.status, kExitUsage);
  EXPECT_THAT(outcome.error,
              HasSubstr(folder_.path() + " cannot be read: Is a"));
  EXPECT_THAT(answers_.asked, IsEmpty());
}

}  // namespace
}  // namespace genzo
