#include <filesystem>
#include <iostream>

#include "base/errors.h"
#include "client/file_names.h"
#include "client/json_printer.h"
#include "client/picture_sink.h"
#include "client/terminal_art.h"
#include "client/terminal_printer.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::JobEvent Image(const std::string& bytes) {
  v1::JobEvent event;
  event.mutable_image()->set_seed(7);
  event.mutable_image()->mutable_picture()->set_data(bytes);
  event.mutable_image()->mutable_picture()->set_media_type("image/png");
  return event;
}

template <typename Print>
std::string Printed(Print print) {
  ::testing::internal::CaptureStdout();
  print();
  std::cout.flush();
  return ::testing::internal::GetCapturedStdout();
}

TEST(EventWordsTest, TellsHowManyAreAhead) {
  v1::JobEvent event;
  event.mutable_queued()->set_position(3);
  EXPECT_EQ(EventWords().Line(event, ""), "queued, 3 jobs ahead");
}

TEST(EventWordsTest, TellsScoreSafetyAndLatentsOfAnImage) {
  v1::JobEvent event = Image("");
  event.mutable_image()->set_score(0.256);
  event.mutable_image()->set_safety("blurred");
  event.mutable_image()->set_latents("name");
  event.mutable_image()->add_approximations("text_gate_step 2");
  EXPECT_EQ(
      EventWords().Line(event, "a.png"),
      "image, seed 7, score 0.26, blurred, approximated by text_gate_step "
      "2: a.png, latents name");
}

TEST(EventWordsTest, ShowsNoControlCharactersOfTheServer) {
  v1::JobEvent event = Image("");
  event.mutable_image()->set_safety("\x1b[2J");
  event.mutable_image()->set_latents("\x1b[2J");
  EXPECT_THAT(EventWords().Line(event, "\x1b[2J"), Not(HasSubstr("\x1b")));
}

TEST(EventWordsTest, AnImageThatIsWithheldTellsWhy) {
  v1::JobEvent event;
  event.mutable_image_withheld()->set_image_index(2);
  event.mutable_image_withheld()->set_safety("nudity");
  EXPECT_EQ(EventWords().Line(event, ""),
            "image 2 is withheld by the server's policy: nudity");
}

TEST(EventWordsTest, AnEndThatIsNoSuccessIsSaidElsewhere) {
  v1::JobEvent event;
  event.mutable_ended()->set_state(v1::JOB_STATE_FAILED);
  EXPECT_EQ(EventWords().Line(event, ""), "");
}

TEST(EventWordsTest, AnEndTellsWhereTheTimeWent) {
  v1::JobEvent event;
  v1::Ended& ended = *event.mutable_ended();
  ended.set_state(v1::JOB_STATE_SUCCEEDED);
  ended.set_steps_run(20);
  ended.mutable_queued()->set_nanos(250'000'000);
  ended.mutable_denoise()->set_seconds(2);
  EXPECT_EQ(EventWords().Line(event, ""),
            "20 steps: 0.25 s queued, 0.00 s text, 2.00 s denoising, 0.00 s "
            "decoding");
}

TEST(EventWordsTest, PicturesThatWereKeptAreCalledSo) {
  v1::JobEvent event;
  event.mutable_started();
  EXPECT_EQ(EventWords().Line(event, ""), "");
  event.mutable_started()->set_from_cache(true);
  EXPECT_THAT(EventWords().Line(event, ""), HasSubstr("kept by the server"));
}

TEST(EventWordsTest, PicturesThatWereKeptTookNoTime) {
  EventWords words;
  v1::JobEvent event;
  event.mutable_started()->set_from_cache(true);
  words.Line(event, "");
  event.mutable_ended()->set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(words.Line(event, ""), "no steps: the server had kept them");
}

TEST(EventWordsTest, WhatIsEnlargedHasASizeAndNoSeed) {
  EventWords words(/*enlarges=*/true);
  v1::JobEvent event = Image("");
  event.mutable_image()->mutable_picture()->set_width(512);
  event.mutable_image()->mutable_picture()->set_height(256);
  EXPECT_EQ(words.Line(event, "a.png"), "enlarged to 512 x 256: a.png");
  v1::Ended& ended = *event.mutable_ended();
  ended.set_state(v1::JOB_STATE_SUCCEEDED);
  ended.mutable_denoise()->set_seconds(2);
  EXPECT_EQ(words.Line(event, ""), "0.00 s queued, 2.00 s enlarging");
}

TEST(JsonPrinterTest, APathStandsForTheBytes) {
  JsonPrinter printer;
  const std::string text =
      Printed([&] { printer.Show(Image("secret bytes"), "a.png"); });
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["image"]["picture"]["path"], "a.png");
  EXPECT_FALSE(json["image"]["picture"].contains("data"));
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(JsonPrinterTest, ZerosAreTold) {
  JsonPrinter printer;
  v1::JobEvent event;
  event.mutable_queued();
  const auto json =
      nlohmann::json::parse(Printed([&] { printer.Show(event, ""); }));
  EXPECT_EQ(json["queued"]["position"], 0);
}

TEST(JsonPrinterTest, APathThatIsNoTextIsStillJson) {
  JsonPrinter printer;
  const auto json = nlohmann::json::parse(
      Printed([&] { printer.Show(Image(""), "bad\xff.png"); }));
  EXPECT_EQ(json["image"]["picture"]["path"], "bad\uFFFD.png");
}

TerminalPrinter::Screen Narrow() {
  return {.columns = 20, .rows = 10, .art = false, .depth = {}};
}

TEST(TerminalPrinterTest, AProgressLineNeverWraps) {
  TerminalPrinter printer(Narrow, 1);
  v1::JobEvent event;
  event.mutable_progress()->set_step(3);
  event.mutable_progress()->set_steps(20);
  const std::string frame = Printed([&] { printer.Show(event, ""); });
  EXPECT_THAT(frame, StartsWith("\r\x1b[J step 3 of 20"));
  EXPECT_LE(frame.substr(frame.find("\x1b[J") + 3).size(), 19u);
}

TEST(TerminalPrinterTest, WhatIsEnlargedGoesByTiles) {
  TerminalPrinter printer(Narrow, 1, EventWords(/*enlarges=*/true));
  v1::JobEvent event;
  event.mutable_progress()->set_step(3);
  event.mutable_progress()->set_steps(20);
  EXPECT_THAT(Printed([&] { printer.Show(event, ""); }),
              HasSubstr(" tile 3 of 20"));
}

TEST(TerminalPrinterTest, AFinishedFileStaysAboveThePicture) {
  TerminalPrinter printer(Narrow, 1);
  EXPECT_THAT(Printed([&] { printer.Show(Image("x"), "a.png"); }),
              StartsWith("\r\x1b[Jimage, seed 7: a.png\n"));
}

TEST(TerminalPrinterTest, WhatIsNoEventsStandsAboveThePicture) {
  TerminalPrinter printer(Narrow, 1);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Printed([&] { printer.Say("the model is loading"); }), "")
      << "where nothing is drawn yet";
  Printed([&] { printer.Show(Image("x"), "a.png"); });
  const std::string drawn = Printed([&] { printer.Say("it \x1b broke"); });
  EXPECT_THAT(drawn, StartsWith("\r\x1b[J")) << "it makes room";
  EXPECT_THAT(drawn, HasSubstr("step 0 of 0")) << "and draws again";
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "genzo: the model is loading\ngenzo: it \uFFFD broke\n");
}

TEST(TerminalPrinterTest, ProgressOfAllImagesIsAdded) {
  TerminalPrinter printer(
      [] {
        return TerminalPrinter::Screen{.columns = 200, .rows = 9, .art = false};
      },
      2);
  v1::JobEvent event;
  event.mutable_progress()->set_steps(20);
  event.mutable_progress()->set_step(5);
  Printed([&] { printer.Show(event, ""); });
  event.mutable_progress()->set_image_index(1);
  event.mutable_progress()->set_step(7);
  EXPECT_THAT(Printed([&] { printer.Show(event, ""); }),
              HasSubstr("step 12 of 40"));
}

TEST(TerminalPrinterTest, EventsOfImagesThatWereNotAskedForDoNoHarm) {
  TerminalPrinter printer(Narrow, 1);
  v1::JobEvent event;
  event.mutable_progress()->set_image_index(1000);
  Printed([&] { printer.Show(event, ""); });
  v1::JobEvent preview;
  preview.mutable_preview()->set_image_index(1000);
  EXPECT_THAT(Printed([&] { printer.Show(preview, "p"); }),
              HasSubstr("step 0 of 0"));
}

TEST(TerminalPrinterTest, AnInterruptedJobLeavesTheCursorOnItsOwnLine) {
  auto printer = std::make_unique<TerminalPrinter>(Narrow, 1);
  v1::JobEvent event;
  event.mutable_progress();
  Printed([&] { printer->Show(event, ""); });
  EXPECT_EQ(Printed([&] { printer.reset(); }), "\n");
}

TEST(TerminalPrinterTest, AJobThatEndedAddsNothing) {
  auto printer = std::make_unique<TerminalPrinter>(Narrow, 1);
  v1::JobEvent event;
  event.mutable_ended();
  EXPECT_THAT(Printed([&] { printer->Show(event, ""); }), EndsWith("\n"));
  EXPECT_EQ(Printed([&] { printer.reset(); }), "");
}

// Nothing is drawn over it.
TEST(TerminalPrinterTest, TheLastLineIsWholeInANarrowWindow) {
  TerminalPrinter printer(Narrow, 1);
  v1::JobEvent event;
  event.mutable_ended()->set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(Printed([&] { printer.Show(event, ""); }),
              EndsWith("0.00 s decoding\n"));
}

TEST(TerminalPrinterTest, AWindowThatChangesItsWidthIsDrawnBelow) {
  int columns = 20;
  TerminalPrinter printer(
      [&] {
        return TerminalPrinter::Screen{
            .columns = columns, .rows = 9, .art = false};
      },
      1);
  v1::JobEvent event;
  event.mutable_progress();
  EXPECT_THAT(Printed([&] { printer.Show(event, ""); }), StartsWith("\r"));
  columns = 30;
  EXPECT_THAT(Printed([&] { printer.Show(event, ""); }), StartsWith("\n"));
  EXPECT_THAT(Printed([&] { printer.Show(event, ""); }), StartsWith("\r"));
}

TEST(TerminalArtTest, EveryLineEndsWithAReset) {
  const RgbImage image = {8, 8, std::string(8 * 8 * 3, '\x7f')};
  for (const std::string& line :
       HalfBlockArt(image, 8, 8, ColorDepth::kTrueColor)) {
    EXPECT_THAT(line, EndsWith("\x1b[0m"));
  }
}

TEST(TerminalArtTest, AThinPictureHasACharacterAtLeast) {
  const RgbImage thin = {1, 1000, std::string(3000, 'x')};
  const auto lines = HalfBlockArt(thin, 10, 5, ColorDepth::k256);
  EXPECT_EQ(lines.size(), 5u);
  const RgbImage flat = {1000, 1, std::string(3000, 'x')};
  EXPECT_EQ(HalfBlockArt(flat, 10, 5, ColorDepth::k256).size(), 1u);
}

TEST(TerminalArtTest, ACharacterHasTheMeanOfItsPixels) {
  // A column of two pixels, each the mean of a black and a white one.
  const RgbImage image = {2, 2,
                          std::string("\0\0\0\xff\xff\xff"
                                      "\xff\xff\xff\0\0\0",
                                      12)};
  EXPECT_THAT(HalfBlockArt(image, 1, 1, ColorDepth::kTrueColor)[0],
              HasSubstr("38;2;127;127;127m\x1b[48;2;127;127;127m"));
}

// Remembers what it was shown.
struct Shown : EventPrinter {
  explicit Shown(std::vector<std::string>& all) : paths(all) {}
  void Show(const v1::JobEvent&, const std::string& path) override {
    paths.push_back(path);
  }
  std::vector<std::string>& paths;
};

TEST(PictureSinkTest, AFileThatCannotBeWrittenDoesNotStopTheOthers) {
  std::vector<std::string> paths;
  PictureSink sink(PictureFiles("/dev/null/folder", "fox", 1),
                   std::make_unique<Shown>(paths));
  sink.Take(Image("png"));
  sink.Take(Image("png"));
  EXPECT_THAT(paths, ::testing::ElementsAre("(not written)", "(not written)"));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(sink.Finish(), kExitFailed);
  const std::string error = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(error, HasSubstr("/dev/null/folder/fox-seed7.png"));
}

TEST(PictureSinkTest, APreviewThatCannotBeWrittenIsSaidAndForgiven) {
  std::vector<std::string> paths;
  PictureSink sink(PictureFiles("/dev/null/folder", "fox", 1),
                   std::make_unique<Shown>(paths));
  v1::JobEvent preview;
  preview.mutable_preview()->mutable_picture()->set_media_type("image/png");
  sink.Take(preview);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(sink.Finish(), kExitOk);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("cannot be written"));
}

TEST(PictureFilesTest, MakesTheFolderOnFirstNeed) {
  const TestFolder folder;
  PictureFiles files(folder.path() + "/a/b", "fox", 1);
  EXPECT_THAT(files.Write(Image("png").image()), IsOk());
  EXPECT_EQ(ReadFile(folder.path() + "/a/b/fox-seed7.png"), "png");
}

TEST(PictureFilesTest, AnotherPictureOfTheNameIsNeverReplaced) {
  const TestFolder folder;
  PictureFiles files(folder.path(), "fox", 1);
  const std::string stem = folder.path() + "/fox-seed7";
  EXPECT_EQ(*files.Write(Image("first").image()), stem + ".png");
  EXPECT_EQ(*files.Write(Image("second").image()), stem + "-2.png");
  EXPECT_EQ(*files.Write(Image("third").image()), stem + "-3.png");
  EXPECT_EQ(ReadFile(stem + ".png"), "first");
  EXPECT_EQ(ReadFile(stem + "-2.png"), "second");
}

// As `genzo watch` writes what it wrote before.
TEST(PictureFilesTest, TheSamePictureIsWrittenOnce) {
  const TestFolder folder;
  PictureFiles files(folder.path(), "fox", 1);
  const std::string stem = folder.path() + "/fox-seed7";
  EXPECT_EQ(*files.Write(Image("png").image()), stem + ".png");
  EXPECT_EQ(*files.Write(Image("two").image()), stem + "-2.png");
  EXPECT_EQ(*files.Write(Image("two").image()), stem + "-2.png");
  EXPECT_FALSE(std::filesystem::exists(stem + "-3.png"));
}

TEST(PictureFilesTest, ALinkToNowhereIsNotFollowed) {
  const TestFolder folder;
  const std::string stem = folder.path() + "/fox-seed7";
  std::filesystem::create_symlink(folder.path() + "/none", stem + ".png");
  PictureFiles files(folder.path(), "fox", 1);
  EXPECT_EQ(*files.Write(Image("png").image()), stem + "-2.png");
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/none"));
}

TEST(PictureFilesTest, AFolderOfTheNameIsAnError) {
  const TestFolder folder;
  std::filesystem::create_directory(folder.path() + "/fox-seed7.png");
  PictureFiles files(folder.path(), "fox", 1);
  EXPECT_THAT(files.Write(Image("png").image()),
              StatusIs(absl::StatusCode::kUnavailable, "Is a directory"));
}

TEST(FileNamesTest, TheLargestSeedIsTold) {
  EXPECT_EQ(ImageName("fox", 18446744073709551615u),
            "fox-seed18446744073709551615");
}

TEST(FileNamesTest, ACutDoesNotEndWithAHyphen) {
  EXPECT_EQ(Slug(std::string(47, 'a') + " b"), std::string(47, 'a'));
}

}  // namespace
}  // namespace genzo
