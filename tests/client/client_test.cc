#include <fstream>
#include <limits>

#include "base/errors.h"
#include "client/control_options.h"
#include "client/file_names.h"
#include "client/generate_command.h"
#include "client/picture_files.h"
#include "client/sampler_names.h"
#include "client/status_report.h"
#include "client/terminal_art.h"
#include "client/terminal_printer.h"
#include "tests/client/generate_requests.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(FileNamesTest, TellThePrompt) {
  EXPECT_EQ(Slug("A red fox, in the snow!"), "a-red-fox-in-the-snow");
  EXPECT_EQ(Slug("../../etc/passwd"), "etc-passwd");
  EXPECT_EQ(Slug("\u591c\u666f"), "\u591c\u666f");
  EXPECT_EQ(Slug("!?"), "image");
  EXPECT_EQ(Slug(""), "image");
  EXPECT_EQ(ImageName("fox", 42), "fox-seed42");
  EXPECT_EQ(PreviewName("fox", 42, 5), "fox-seed42-step05");
}

TEST(FileNamesTest, HaveTheExtensionOfTheMediaType) {
  EXPECT_EQ(Extension("image/png"), ".png");
  EXPECT_EQ(Extension("image/jpeg"), ".jpg");
  EXPECT_EQ(Extension("image/webp"), ".webp");
  EXPECT_EQ(Extension("../../etc/passwd"), ".bin");
}

TEST(PictureFilesTest, NameFilesByWhatTheyAre) {
  const TestFolder folder;
  PictureFiles files(folder.path(), "fox", 42);
  v1::Preview preview;
  preview.set_image_index(1);
  preview.set_step(5);
  preview.mutable_picture()->set_media_type("image/jpeg");
  EXPECT_EQ(*files.Write(preview), folder.path() + "/fox-seed43-step05.jpg");
  v1::Image image;
  image.set_seed(43);
  image.mutable_picture()->set_media_type("image/webp");
  image.mutable_picture()->set_data("bytes");
  const auto path = files.Write(image);
  ASSERT_THAT(path, IsOk());
  EXPECT_EQ(*path, folder.path() + "/fox-seed43.webp");
  EXPECT_EQ(ReadFile(*path), "bytes");
}

TEST(FileNamesTest, StayShortWithoutCuttingCharacters) {
  std::string prompt;
  for (int i = 0; i < 100; ++i) prompt += "\u591c";
  const std::string slug = Slug(prompt);
  EXPECT_LE(slug.size(), 48u);
  EXPECT_EQ(slug.size() % 3, 0u);
}

RgbImage TwoByTwo() {
  return {2, 2,
          std::string("\xff\0\0"
                      "\0\xff\0"
                      "\0\0\xff"
                      "\0\0\0",
                      12)};
}

TEST(TerminalArtTest, PutsTwoPixelsIntoACharacter) {
  const auto lines = HalfBlockArt(TwoByTwo(), 2, 1, ColorDepth::kTrueColor);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m\u2580"
            "\x1b[38;2;0;255;0m\x1b[48;2;0;0;0m\u2580\x1b[0m");
}

TEST(TerminalArtTest, UsesTheColorCubeWhereThatIsAll) {
  const auto lines = HalfBlockArt(TwoByTwo(), 2, 1, ColorDepth::k256);
  EXPECT_THAT(lines[0], HasSubstr("\x1b[38;5;196m\x1b[48;5;21m"));
}

TEST(TerminalArtTest, KeepsProportions) {
  const RgbImage wide = {64, 16, std::string(64 * 16 * 3, 'x')};
  EXPECT_EQ(HalfBlockArt(wide, 32, 32, ColorDepth::k256).size(), 4u);
  const RgbImage small = {2, 2, std::string(12, 'x')};
  EXPECT_EQ(HalfBlockArt(small, 32, 8, ColorDepth::k256).size(), 8u)
      << "a rough preview fills the place";
}

TEST(EventWordsTest, NamesFiles) {
  v1::JobEvent event;
  event.mutable_preview()->set_step(5);
  EXPECT_EQ(EventWords().Line(event, "a.png"), "preview of step 5: a.png");
  event.mutable_image()->set_seed(3);
  EXPECT_EQ(EventWords().Line(event, "b.png"), "image, seed 3: b.png");
  event.mutable_progress();
  EXPECT_EQ(EventWords().Line(event, ""), "");
}

TEST(StatusReportTest, HasAnExitStatusForEachKindOfFailure) {
  using grpc::StatusCode;
  const auto exit_status = [](StatusCode code) {
    return ExitStatusOf(grpc::Status(code, ""));
  };
  EXPECT_EQ(exit_status(StatusCode::OK), 0);
  EXPECT_EQ(exit_status(StatusCode::INTERNAL), 1);
  EXPECT_EQ(exit_status(StatusCode::INVALID_ARGUMENT), 3);
  EXPECT_EQ(exit_status(StatusCode::NOT_FOUND), 3);
  EXPECT_EQ(exit_status(StatusCode::UNAVAILABLE), 4);
  EXPECT_EQ(exit_status(StatusCode::DEADLINE_EXCEEDED), 5);
  EXPECT_EQ(exit_status(StatusCode::UNIMPLEMENTED), 6);
}

TEST(StatusReportTest, AnotherServiceIsNoServerThatIsDown) {
  const grpc::Status no_call(grpc::StatusCode::UNIMPLEMENTED, "");
  EXPECT_THAT(Describe(no_call, "localhost:1"),
              AllOf(HasSubstr("the server at localhost:1 has no such call"),
                    HasSubstr("admin_listen")));
  const grpc::Status http(grpc::StatusCode::UNAVAILABLE,
                          "Trying to connect an http1.x server");
  EXPECT_THAT(Describe(http, "localhost:1"), HasSubstr("an HTTP door"));
  EXPECT_EQ(ExitStatusOf(http), kExitWrongAddress);
  // A Genzo server's own word is of the request.
  const auto refused = ToRpcStatus(
      ErrorWithReason(absl::StatusCode::kUnimplemented, "NOT_YET", "not yet"));
  EXPECT_EQ(ExitStatusOf(grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                                      "not yet", refused.SerializeAsString())),
            kExitFailed);
}

TEST(StatusReportTest, TellsNoServerFromAFullOne) {
  EXPECT_THAT(Describe(grpc::Status(grpc::StatusCode::UNAVAILABLE, "refused"),
                       "localhost:1"),
              HasSubstr("no Genzo server answers at localhost:1"));
  const auto full = ToRpcStatus(
      RetryLaterError("QUEUE_FULL", "the queue is full", absl::Seconds(3)));
  const std::string text =
      Describe(grpc::Status(grpc::StatusCode::UNAVAILABLE, full.message(),
                            full.SerializeAsString()),
               "localhost:1");
  EXPECT_EQ(text, "the queue is full; try again in 3 s");
}

TEST(SamplerNamesTest, SpellTheProtosNames) {
  EXPECT_EQ(SamplerName({.sampler = v1::SAMPLER_DPMPP_2M,
                         .schedule = v1::NOISE_SCHEDULE_KARRAS}),
            "dpmpp_2m_karras");
  EXPECT_EQ(ScheduleNames().at("exponential"), v1::NOISE_SCHEDULE_EXPONENTIAL);
  EXPECT_EQ(ScheduleNames().count("unspecified"), 0u);
  EXPECT_EQ(NoiseGeneratorNames().at("cuda"), v1::NOISE_GENERATOR_CUDA);
  EXPECT_EQ(DecoderNames().at("linear"), v1::PREVIEW_DECODER_LINEAR);
  EXPECT_EQ(FormatNames().at("webp"), v1::IMAGE_FORMAT_WEBP);
  EXPECT_EQ(SamplerName({.sampler = v1::SAMPLER_DDIM}), "ddim");
}

TEST(GenerateCommandTest, LeavesDefaultsToTheServer) {
  const auto request = RequestOf({"a fox"});
  EXPECT_EQ(request.prompt(), "a fox");
  EXPECT_FALSE(request.has_steps());
  EXPECT_FALSE(request.has_guidance_scale());
  EXPECT_TRUE(request.has_seed()) << "file names carry it";
  EXPECT_EQ(request.preview().every(), 5u);
}

TEST(GenerateCommandTest, PassesOptionsOn) {
  const auto request = RequestOf({"a fox",
                                  "--steps",
                                  "10",
                                  "-s",
                                  "18446744073709551615",
                                  "-g",
                                  "1",
                                  "--sampler",
                                  "EULER",
                                  "--preview-steps",
                                  "1,3",
                                  "--preview-decoder",
                                  "full",
                                  "--no-parameters",
                                  "-c",
                                  "2",
                                  "--format",
                                  "webp",
                                  "--preview-format",
                                  "JPEG"});
  EXPECT_EQ(request.steps(), 10u);
  EXPECT_EQ(request.seed(), 18446744073709551615u);
  EXPECT_EQ(request.guidance_scale(), 1);
  EXPECT_EQ(request.sampler(), v1::SAMPLER_EULER);
  EXPECT_THAT(request.preview().steps(), ::testing::ElementsAre(1, 3));
  EXPECT_EQ(request.preview().every(), 0u);
  EXPECT_EQ(request.preview().decoder(), v1::PREVIEW_DECODER_FULL);
  EXPECT_FALSE(request.output().embed_parameters());
  EXPECT_EQ(request.output().format(), v1::IMAGE_FORMAT_WEBP);
  EXPECT_EQ(request.preview().format(), v1::IMAGE_FORMAT_JPEG);
  EXPECT_EQ(request.image_count(), 2u);
  EXPECT_FALSE(RequestOf({"x", "--no-previews"}).has_preview());
}

TEST(GenerateCommandTest, DrawsASeedForMinusOne) {
  EXPECT_TRUE(RequestOf({"x", "--seed", "-1"}).has_seed());
  EXPECT_NE(RequestOf({"x", "--seed", "-1"}).seed(),
            std::numeric_limits<uint64_t>::max());
  for (const char* seed : {"18446744073709551616", "-2", "1.5", ""}) {
    EXPECT_THROW(RequestOf({"x", "--seed", seed}), CLI::ParseError) << seed;
  }
}

TEST(GenerateCommandTest, ChoosesSamplerAndSchedule) {
  const auto alias = RequestOf({"x", "--sampler", "dpmpp_2m_karras"});
  EXPECT_EQ(alias.sampler(), v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(alias.schedule(), v1::NOISE_SCHEDULE_KARRAS);
  const auto both =
      RequestOf({"x", "--sampler", "euler", "--schedule", "exponential"});
  EXPECT_EQ(both.sampler(), v1::SAMPLER_EULER);
  EXPECT_EQ(both.schedule(), v1::NOISE_SCHEDULE_EXPONENTIAL);
  const auto spelled = RequestOf(
      {"x", "--sampler", "DPM++ 2M", "--schedule", "Align Your Steps"});
  EXPECT_EQ(spelled.schedule(), v1::NOISE_SCHEDULE_ALIGN_YOUR_STEPS);
}

TEST(GenerateCommandTest, TellsZeroFromNothing) {
  EXPECT_FALSE(RequestOf({"x"}).has_eta());
  EXPECT_TRUE(RequestOf({"x", "--eta", "0"}).has_eta());
}

TEST(GenerateCommandTest, SendsFieldsOfSomeModelsWhereTheyAreGiven) {
  const auto plain = RequestOf({"x"});
  EXPECT_FALSE(plain.has_size_conditioning());
  EXPECT_FALSE(plain.has_refiner());
  EXPECT_FALSE(plain.has_image_guidance_scale());
  const auto request = RequestOf(
      {"x", "--prompt-2", "y", "--negative-2", "z", "--original-size",
       "800,600", "--crop", "8,4", "--refine-at", "0.7", "--aesthetic-score",
       "7", "--image-guidance", "2", "--noise-level", "100", "--tiny-decoder"});
  EXPECT_EQ(request.prompt_2(), "y");
  EXPECT_EQ(request.negative_prompt_2(), "z");
  const auto& sizes = request.size_conditioning().prompt();
  EXPECT_EQ(sizes.original_width(), 800u);
  EXPECT_EQ(sizes.original_height(), 600u);
  EXPECT_EQ(sizes.crop_left(), 8u);
  EXPECT_EQ(sizes.crop_top(), 4u);
  EXPECT_FALSE(sizes.has_target_width());
  EXPECT_EQ(request.refiner().switch_at(), 0.7);
  EXPECT_EQ(request.refiner().aesthetic_score(), 7);
  EXPECT_FALSE(request.refiner().has_negative_aesthetic_score());
  EXPECT_EQ(request.image_guidance_scale(), 2);
  EXPECT_EQ(request.noise_level(), 100u);
  EXPECT_TRUE(request.output().tiny_decoder());
  EXPECT_THROW(RequestOf({"x", "--crop", "8"}), CLI::ParseError);
}

TEST(GenerateCommandTest, SendsAPictureToStartFrom) {
  const std::string path = ::testing::TempDir() + "/start.png";
  std::ofstream(path) << "png";
  const auto request =
      RequestOf({"pirate ship", "--image", path, "--strength", "0.7"});
  EXPECT_EQ(request.image_to_image().image(), "png");
  EXPECT_EQ(request.image_to_image().strength(), 0.7);
  EXPECT_FALSE(
      RequestOf({"x", "--image", path}).image_to_image().has_strength());
  EXPECT_THROW(RequestOf({"x", "--strength", "0.7"}), CLI::ParseError);
  EXPECT_EQ(RequestOf({"x", "--image", path, "--resize-mode", "fill"})
                .image_to_image()
                .resize_mode(),
            v1::RESIZE_MODE_FILL);
  EXPECT_THROW(RequestOf({"x", "--image", path, "--resize-mode", "best"}),
               CLI::ParseError);
}

TEST(GenerateCommandTest, SteersGuidanceAndNoise) {
  const v1::GenerateRequest request = RequestOf({"a (fox:1.2)",
                                                 "--weighted",
                                                 "--guidance-start",
                                                 "0.1",
                                                 "--guidance-end",
                                                 "0.8",
                                                 "--perturbed-attention",
                                                 "3",
                                                 "--perturbed-layers",
                                                 "mid_block,up_blocks.1",
                                                 "--text-gate",
                                                 "10",
                                                 "--variation",
                                                 "0.2",
                                                 "--variation-seed",
                                                 "5",
                                                 "--resize-from",
                                                 "512,256",
                                                 "--keep-latents",
                                                 "--from-latents",
                                                 "name",
                                                 "--latents-strength",
                                                 "0.6"});
  EXPECT_EQ(request.prompt_syntax(), v1::PROMPT_SYNTAX_WEIGHTED);
  EXPECT_EQ(request.guidance().start(), 0.1);
  EXPECT_EQ(request.guidance().end(), 0.8);
  EXPECT_EQ(request.guidance().perturbed_attention_scale(), 3);
  EXPECT_EQ(request.guidance().perturbed_layers_size(), 2);
  EXPECT_EQ(request.guidance().perturbed_layers(1), "up_blocks.1");
  EXPECT_EQ(request.guidance().text_gate_step(), 10u);
  EXPECT_EQ(request.variation().strength(), 0.2);
  EXPECT_EQ(request.variation().seed(), 5u);
  EXPECT_EQ(request.variation().resize_from_width(), 512u);
  EXPECT_EQ(request.variation().resize_from_height(), 256u);
  EXPECT_TRUE(request.keep_latents());
  EXPECT_EQ(request.start_latents(), "name");
  EXPECT_EQ(request.image_to_image().strength(), 0.6);
  const v1::GenerateRequest plain = RequestOf({"x"});
  EXPECT_FALSE(plain.has_guidance());
  EXPECT_FALSE(plain.has_variation());
}

TEST(GenerateCommandTest, BeginsAtAPicturesOwnNoise) {
  const std::string path = ::testing::TempDir() + "/fox.png";
  std::ofstream(path) << "png";
  const auto plain = RequestOf({"a cat", "--image", path, "--invert"});
  EXPECT_TRUE(plain.image_to_image().has_inversion());
  EXPECT_FALSE(plain.image_to_image().inversion().has_prompt());
  const auto inversion =
      RequestOf({"a cat", "--image", path, "--invert-prompt", "",
                 "--invert-guidance", "2", "--invert-steps", "30"})
          .image_to_image()
          .inversion();
  EXPECT_TRUE(inversion.has_prompt());
  EXPECT_EQ(inversion.prompt(), "");
  EXPECT_EQ(inversion.guidance_scale(), 2);
  EXPECT_EQ(inversion.steps(), 30u);
  EXPECT_FALSE(
      RequestOf({"x", "--image", path}).image_to_image().has_inversion());
}

TEST(GenerateCommandTest, SendsControlsAndImagePrompts) {
  const std::string path = ::testing::TempDir() + "/a,b.png";
  std::ofstream(path) << "png";
  const auto request =
      RequestOf({"x", "--control", "canny=" + path + ",canny,end=0.6:0.8",
                 "--control", "depth=" + path + ",guess,start=0.1,stretch",
                 "--image-prompt", "plus=" + path + ":0.5"});
  ASSERT_EQ(request.controls_size(), 2);
  EXPECT_EQ(request.controls(1).resize_mode(), v1::RESIZE_MODE_STRETCH);
  const v1::ControlInput& canny = request.controls(0);
  EXPECT_EQ(canny.name(), "canny");
  EXPECT_EQ(canny.picture().data(), "png");
  EXPECT_EQ(canny.preprocessor(), v1::ControlInput::PREPROCESSOR_CANNY);
  EXPECT_EQ(canny.weight(), 0.8);
  EXPECT_EQ(canny.end(), 0.6);
  EXPECT_FALSE(canny.has_start());
  const v1::ControlInput& depth = request.controls(1);
  EXPECT_TRUE(depth.guess_mode());
  EXPECT_EQ(depth.start(), 0.1);
  EXPECT_FALSE(depth.has_weight());
  ASSERT_EQ(request.image_prompts_size(), 1);
  EXPECT_EQ(request.image_prompts(0).name(), "plus");
  EXPECT_EQ(request.image_prompts(0).pictures(0).data(), "png");
  EXPECT_EQ(request.image_prompts(0).weight(), 0.5);
}

TEST(ControlOptionsTest, ShowsWhatIsMalformed) {
  v1::ControlInput control;
  std::string path;
  for (const char* text : {"", "canny", "=a.png", "canny=", "canny=:1"}) {
    EXPECT_THAT(ParseControl(text, control, path),
                StatusIs(absl::StatusCode::kInvalidArgument, "NAME=FILE"))
        << text;
  }
  // What is no option is a part of the path.
  ASSERT_THAT(ParseControl("canny=C:/a.png,sketch", control, path), IsOk());
  EXPECT_EQ(path, "C:/a.png,sketch");
}

TEST(GenerateCommandTest, SendsAMaskAndBorders) {
  const std::string path = ::testing::TempDir() + "/masked.png";
  std::ofstream(path) << "png";
  const auto request =
      RequestOf({"x", "--image", path, "--mask", path, "--mask-blur", "4",
                 "--fill", "noise", "--only-masked", "--mask-padding", "16",
                 "--mask-invert", "--mask-transparency"});
  const v1::Inpainting& inpainting = request.inpainting();
  EXPECT_EQ(inpainting.mask().data(), "png");
  EXPECT_EQ(inpainting.mask_blur(), 4u);
  EXPECT_EQ(inpainting.fill(), v1::Inpainting::FILL_NOISE);
  EXPECT_TRUE(inpainting.only_masked());
  EXPECT_EQ(inpainting.padding(), 16u);
  EXPECT_TRUE(inpainting.invert_mask());
  EXPECT_TRUE(inpainting.mask_is_transparency());
  EXPECT_FALSE(request.has_outpainting());
  const auto extended =
      RequestOf({"x", "--image", path, "--extend", "8,0,16,24"});
  EXPECT_FALSE(extended.has_inpainting());
  EXPECT_EQ(extended.outpainting().left(), 8u);
  EXPECT_EQ(extended.outpainting().bottom(), 24u);
  EXPECT_THROW(RequestOf({"x", "--mask", path}), CLI::ParseError);
  EXPECT_THROW(RequestOf({"x", "--image", path, "--fill", "best"}),
               CLI::ParseError);
}

TEST(GenerateCommandTest, RefusesTextThatIsNotUtf8) {
  CLI::App app;
  const std::string server = "localhost:1";
  const GenerateCommand command(app, server);
  app.parse(std::vector<std::string>{"bad\xff", "generate"});
  EXPECT_THAT(
      command.MakeRequest(),
      StatusIs(absl::StatusCode::kInvalidArgument, "the prompt is not UTF-8"));
}

TEST(StatusReportTest, ADeadlineThatCannotBeMetIsADeadline) {
  const auto details = ToRpcStatus(
      RetryLaterError("DEADLINE_UNREACHABLE", "no", absl::Seconds(3)));
  EXPECT_EQ(ExitStatusOf(grpc::Status(grpc::StatusCode::UNAVAILABLE, "no",
                                      details.SerializeAsString())),
            kExitDeadline);
}

TEST(FileNamesTest, HaveNoControlsAndNoMarksOfDirection) {
  EXPECT_EQ(Slug("a\u009b\u202efox"), "a-fox");
}

TEST(PictureFilesTest, LeavesNoHalfPictureAndTellsTheReason) {
  v1::Image image;
  image.mutable_picture()->set_data("png");
  PictureFiles nowhere("/dev/null/folder", "fox", 1);
  EXPECT_THAT(nowhere.Write(image),
              StatusIs(absl::StatusCode::kUnavailable, "Not a directory"));
}

TEST(GenerateCommandTest, RefusesNonsense) {
  EXPECT_THROW(RequestOf({"x", "--steps", "many"}), CLI::ParseError);
  EXPECT_THROW(RequestOf({"x", "--sampler", "magic"}), CLI::ParseError);
  EXPECT_THROW(RequestOf({"x", "--format", "gif"}), CLI::ParseError);
  EXPECT_THROW(RequestOf({"x", "--preview-steps", ""}), CLI::ParseError);
  EXPECT_THROW(RequestOf({"x", "--preview-steps", "0"}), CLI::ParseError);
  EXPECT_THROW(RequestOf({}), CLI::ParseError);
}

}  // namespace
}  // namespace genzo
