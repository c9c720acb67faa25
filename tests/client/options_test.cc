// What command lines mean, and the commands that requests are told as.

#include "base/errors.h"
#include "base/sampler_spelling.h"
#include "client/command_line.h"
#include "client/generate_command.h"
#include "client/input_file.h"
#include "client/lora_options.h"
#include "client/metrics_page.h"
#include "client/metrics_text.h"
#include "client/picture_reader.h"
#include "client/sampler_names.h"
#include "client/server_figures.h"
#include "client/status_report.h"
#include "tests/client/generate_requests.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LoraOptionTest, ANameAloneLeavesTheRestToTheServer) {
  v1::LoraUse lora;
  EXPECT_EQ(ParseLora("detail", lora), "");
  EXPECT_EQ(lora.ShortDebugString(), "name: \"detail\"");
}

TEST(LoraOptionTest, ReadsEveryPart) {
  v1::LoraUse lora;
  EXPECT_EQ(ParseLora("ink:0.8:0@0.2-1", lora), "");
  EXPECT_EQ(lora.name(), "ink");
  EXPECT_EQ(lora.weight(), 0.8);
  EXPECT_TRUE(lora.has_text_encoder_weight());
  EXPECT_EQ(lora.text_encoder_weight(), 0);
  EXPECT_EQ(lora.start(), 0.2);
  EXPECT_EQ(lora.end(), 1);
}

TEST(LoraOptionTest, AWeightMayBeNegative) {
  v1::LoraUse lora;
  EXPECT_EQ(ParseLora("ink:-1.5", lora), "");
  EXPECT_EQ(lora.weight(), -1.5);
}

TEST(LoraOptionTest, ShowsThePartThatIsNoNumber) {
  v1::LoraUse lora;
  EXPECT_THAT(ParseLora("ink:much", lora),
              HasSubstr("\"much\" of \"ink:much\" is not a number"));
  EXPECT_THAT(ParseLora("ink@0-late", lora), HasSubstr("\"late\" of"));
  EXPECT_THAT(ParseLora("ink@early-1", lora), HasSubstr("\"early\" of"));
}

TEST(LoraOptionTest, RefusesPartsThatAreTooManyOrEmpty) {
  v1::LoraUse lora;
  for (const char* text :
       {"", ":1", "a:1:2:3", "a:", "a@", "a@0", "a@0-1-2", "a\xff"}) {
    EXPECT_NE(ParseLora(text, lora), "") << text;
  }
}

TEST(LoraOptionTest, ABackslashMakesAMarkANames) {
  v1::LoraUse lora;
  EXPECT_EQ(ParseLora(R"(v1\:a\,b\@c\\:0.5,mid\=block=2)", lora), "");
  EXPECT_EQ(lora.name(), R"(v1:a,b@c\)");
  EXPECT_EQ(lora.weight(), 0.5);
  EXPECT_FALSE(lora.has_start());
  ASSERT_EQ(lora.block_weights_size(), 1);
  EXPECT_EQ(lora.block_weights(0).block(), "mid=block");
  EXPECT_EQ(lora.block_weights(0).weight(), 2);
}

TEST(LoraOptionTest, EveryNameCanBeWritten) {
  for (const std::string name :
       {"ink", "a:b", "a,b=c", "@a", R"(a\b)", "-a", "[a]", "two words"}) {
    v1::LoraUse lora;
    EXPECT_EQ(ParseLora(EscapedLoraName(name), lora), "") << name;
    EXPECT_EQ(lora.name(), name);
    EXPECT_FALSE(lora.has_weight()) << name;
    EXPECT_EQ(RequestOf({"x", "--lora", EscapedLoraName(name)}).loras(0).name(),
              name);
  }
  EXPECT_EQ(EscapedLoraName("well-known_name.2"), "well-known_name.2");
}

TEST(GenerateOptionsTest, AdaptersMayBeGivenSeveralTimes) {
  const auto request = RequestOf({"--lora", "a:1", "--lora", "b", "a fox"});
  ASSERT_EQ(request.loras_size(), 2);
  EXPECT_EQ(request.loras(1).name(), "b");
  EXPECT_EQ(request.prompt(), "a fox");
}

TEST(GenerateOptionsTest, PicturesOfOneAdapterAreOnePrompt) {
  const TestFolder folder;
  const std::string a = "plus=" + folder.Write("a.png", "a");
  const std::string b = "plus=" + folder.Write("b.png", "b");
  const auto request =
      RequestOf({"--image-prompt", a + ":0.5", "--image-prompt", b,
                 "--image-prompt", a + ":0.7", "a fox"});
  ASSERT_EQ(request.image_prompts_size(), 2);
  EXPECT_EQ(request.image_prompts(0).pictures_size(), 2);
  EXPECT_EQ(request.image_prompts(0).pictures(1).data(), "b");
  EXPECT_EQ(request.image_prompts(0).weight(), 0.5);
  EXPECT_EQ(request.image_prompts(1).pictures_size(), 1);
}

TEST(GenerateOptionsTest, APromptMayStandBehindAListOfNumbers) {
  EXPECT_EQ(RequestOf({"--preview-steps", "1,3", "a fox"}).prompt(), "a fox");
  EXPECT_EQ(RequestOf({"--sigmas", "14,2", "a fox"}).prompt(), "a fox");
  EXPECT_EQ(RequestOf({"--timesteps", "999,1", "a fox"}).prompt(), "a fox");
  EXPECT_EQ(RequestOf({"--skip-layers", "7,8", "a fox"}).prompt(), "a fox");
}

TEST(GenerateOptionsTest, APromptMayBeginWithAHyphen) {
  EXPECT_EQ(RequestOf({"--steps", "3", "--", "-5 degrees"}).prompt(),
            "-5 degrees");
}

TEST(GenerateOptionsTest, SigmasAndTimestepsAreOneTooMany) {
  EXPECT_THROW(RequestOf({"x", "--sigmas", "1", "--timesteps", "1"}),
               CLI::ParseError);
}

TEST(GenerateOptionsTest, PreviewsFollowTheNumberOfSteps) {
  EXPECT_EQ(RequestOf({"x", "--steps", "100"}).preview().every(), 20u);
  EXPECT_EQ(RequestOf({"x", "--steps", "3"}).preview().every(), 1u)
      << "and never none";
}

TEST(GenerateOptionsTest, AScorerNeedsPicturesToChooseFrom) {
  EXPECT_THROW(RequestOf({"x", "--scorer", "clip"}), CLI::ParseError);
  const auto request = RequestOf({"x", "--best-of", "4", "--scorer", "clip"});
  EXPECT_EQ(request.best_of().draw(), 4u);
  EXPECT_EQ(request.best_of().scorer(), "clip");
}

TEST(GenerateOptionsTest, AWatermarkIsLeftToTheServerUnlessSaid) {
  EXPECT_FALSE(RequestOf({"x"}).output().has_watermark());
  EXPECT_TRUE(RequestOf({"x", "--watermark"}).output().watermark());
  const auto without = RequestOf({"x", "--no-watermark"});
  EXPECT_TRUE(without.output().has_watermark());
  EXPECT_FALSE(without.output().watermark());
  EXPECT_THROW(RequestOf({"x", "--watermark", "--no-watermark"}),
               CLI::ParseError);
}

TEST(GenerateOptionsTest, AHiresOptionNeedsAHiresPass) {
  EXPECT_THROW(RequestOf({"x", "--hires-steps", "5"}), CLI::ParseError);
  EXPECT_EQ(
      RequestOf({"x", "--hires-steps", "5", "--hires", "2"}).hires().steps(),
      5u)
      << "whichever comes first";
}

TEST(GenerateOptionsTest, AHiresPassHasAFactorOrASize) {
  EXPECT_THROW(RequestOf({"x", "--hires", "2", "--hires-size", "64,64"}),
               CLI::ParseError);
  const auto request = RequestOf({"x", "--hires-size", "96,64"});
  EXPECT_EQ(request.hires().width(), 96u);
  EXPECT_EQ(request.hires().height(), 64u);
  EXPECT_FALSE(request.hires().has_factor());
}

TEST(GenerateOptionsTest, AnUnknownWayOfEnlargingIsAnUpscaler) {
  EXPECT_EQ(RequestOf({"x", "--hires", "2", "--hires-upscaler", "ultra"})
                .hires()
                .upscaler(),
            "ultra");
  EXPECT_EQ(
      RequestOf({"x", "--hires", "2", "--hires-upscaler", "latent-nearest"})
          .hires()
          .upscale(),
      v1::HiresPass::UPSCALE_LATENT_NEAREST);
}

TEST(GenerateOptionsTest, LatentsAndAPictureAreOneTooMany) {
  EXPECT_THROW(RequestOf({"x", "--from-latents", "a", "--image", "/dev/null"}),
               CLI::ParseError);
  EXPECT_THROW(RequestOf({"x", "--latents-strength", "1"}), CLI::ParseError);
}

TEST(GenerateOptionsTest, AMaskIsReadWithItsPicture) {
  const TestFolder folder;
  const std::string image = folder.Write("a.png", "a");
  CLI::App app;
  const std::string server;
  const GenerateCommand command(app, server);
  app.parse(std::vector<std::string>{"/none.png", "--mask", image, "--image",
                                     "x", "generate"});
  EXPECT_THAT(command.MakeRequest(),
              StatusIs(absl::StatusCode::kNotFound,
                       "picture /none.png cannot be read"));
}

TEST(GenerateOptionsTest, ATimeoutIsOverNothing) {
  for (const char* seconds : {"0", "-1", "1000001", "soon", "nan", "inf"}) {
    EXPECT_THROW(RequestOf({"x", "--timeout", seconds}), CLI::ParseError)
        << seconds;
  }
}

TEST(CommandLineTest, APromptThatBeginsWithAHyphenIsNoOption) {
  v1::GenerateRequest request;
  request.set_prompt("--steps");
  request.set_negative_prompt("-fog");
  request.set_steps(7);
  const auto again = *MadeAgain(request);
  EXPECT_EQ(again.prompt(), "--steps");
  EXPECT_EQ(again.negative_prompt(), "-fog");
  EXPECT_EQ(again.steps(), 7u);
}

TEST(CommandLineTest, AnEmptyPromptIsSaid) {
  v1::GenerateRequest request;
  EXPECT_EQ(CommandLineOf(request).command, "genzo generate ''");
}

TEST(CommandLineTest, ListsOfNumbersComeBack) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  request.add_sigmas(14.614641);
  request.add_sigmas(0.1);
  EXPECT_THAT(MadeAgain(request)->sigmas(), ElementsAre(14.614641, 0.1));
  request.clear_sigmas();
  request.add_timesteps(999);
  request.add_timesteps(0);
  EXPECT_THAT(MadeAgain(request)->timesteps(), ElementsAre(999, 0));
}

TEST(CommandLineTest, FieldsOfSomeModelsComeBack) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  request.set_prompt_2("b");
  request.set_negative_prompt_3("c");
  request.set_class_label(0);
  request.set_true_guidance_scale(1.5);
  request.set_max_sequence_length(77);
  request.mutable_refiner()->set_switch_at(0.7);
  const auto again = *MadeAgain(request);
  EXPECT_EQ(again.prompt_2(), "b");
  EXPECT_EQ(again.negative_prompt_3(), "c");
  EXPECT_TRUE(again.has_class_label()) << "class 0 is one";
  EXPECT_EQ(again.true_guidance_scale(), 1.5);
  EXPECT_EQ(again.max_sequence_length(), 77u);
  EXPECT_EQ(again.refiner().switch_at(), 0.7);
}

TEST(CommandLineTest, ASecondPassOfASizeComesBack) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  request.mutable_hires()->set_width(96);
  request.mutable_hires()->set_height(64);
  request.mutable_hires()->set_upscale(v1::HiresPass::UPSCALE_NETWORK);
  request.mutable_hires()->set_upscaler("ultra");
  const auto again = *MadeAgain(request);
  EXPECT_EQ(again.hires().width(), 96u);
  EXPECT_EQ(again.hires().upscaler(), "ultra");
}

// The options tell both rows the same.
TEST(CommandLineTest, OtherSizesForTheNegativePromptAreMissing) {
  v1::GenerateRequest request;
  request.mutable_size_conditioning()->mutable_prompt()->set_crop_left(8);
  request.mutable_size_conditioning()->mutable_negative()->set_crop_left(4);
  EXPECT_THAT(CommandLineOf(request).missing, ElementsAre("size_conditioning"));
}

TEST(SamplerNamesTest, EverySamplerWithEveryScheduleIsReadBack) {
  const auto* samplers = v1::Sampler_descriptor();
  const auto* schedules = v1::NoiseSchedule_descriptor();
  for (int i = 1; i < samplers->value_count(); ++i) {
    for (int j = 0; j < schedules->value_count(); ++j) {
      const SamplerChoice choice = {
          static_cast<v1::Sampler>(samplers->value(i)->number()),
          static_cast<v1::NoiseSchedule>(schedules->value(j)->number())};
      const auto found = FindSampler(SamplerName(choice));
      ASSERT_TRUE(found.has_value()) << SamplerName(choice);
      EXPECT_EQ(found->sampler, choice.sampler) << SamplerName(choice);
      EXPECT_EQ(found->schedule, choice.schedule) << SamplerName(choice);
    }
  }
}

TEST(StatusReportTest, AnIdThatIsInUseIsARefusal) {
  EXPECT_EQ(ExitStatusOf(grpc::Status(grpc::StatusCode::ALREADY_EXISTS, "")),
            kExitRefused);
}

TEST(StatusReportTest, AKeyThatIsMissingIsARefusal) {
  using grpc::StatusCode;
  for (const StatusCode code :
       {StatusCode::UNAUTHENTICATED, StatusCode::PERMISSION_DENIED,
        StatusCode::FAILED_PRECONDITION}) {
    EXPECT_EQ(ExitStatusOf(grpc::Status(code, "")), kExitRefused);
  }
  // Memory that ended, against a server that is full.
  EXPECT_EQ(ExitStatusOf(grpc::Status(StatusCode::RESOURCE_EXHAUSTED, "")),
            kExitFailed);
  const auto full = ToRpcStatus(
      RetryLaterError("QUEUE_FULL", "full", absl::Seconds(3), /*metadata=*/{},
                      absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(ExitStatusOf(grpc::Status(StatusCode::RESOURCE_EXHAUSTED, "full",
                                      full.SerializeAsString())),
            kExitUnavailable);
}

TEST(StatusReportTest, DetailsThatAreNoneDoNoHarm) {
  EXPECT_EQ(
      Describe(grpc::Status(grpc::StatusCode::INTERNAL, "broken\n", "\xff\xff"),
               "a:1"),
      "broken\uFFFD");
}

TEST(InputFileTest, NamesWhatCannotBeRead) {
  const TestFolder folder;
  EXPECT_THAT(ReadInputFile(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, folder.path()));
  EXPECT_EQ(*ReadInputFile(folder.Write("a", std::string("\0x", 2))),
            std::string("\0x", 2));
}

TEST(PictureReaderTest, NoPictureIsRefused) {
  for (const std::string& bytes :
       {std::string(), std::string("RIFF"), std::string("\x89PNG\r\n\x1a\n")}) {
    EXPECT_THAT(ReadPicture(bytes),
                StatusIs(absl::StatusCode::kInvalidArgument, "neither a PNG"));
  }
}

// The head of a PNG file of that size.
std::string PngHead(char high, char low) {
  std::string head("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 18);
  head += high;
  head += low;
  return head + std::string("\0\0\0\1\x8\2\0\0\0\0\0\0\0", 13);
}

TEST(PictureReaderTest, APictureThatIsTooWideIsNotDecoded) {
  EXPECT_THAT(ReadPicture(PngHead('\x20', '\1')),  // 8193
              StatusIs(absl::StatusCode::kInvalidArgument, "too large"));
  EXPECT_THAT(ReadPicture(PngHead('\x20', '\0')),
              StatusIs(absl::StatusCode::kInvalidArgument, "broken picture"));
}

TEST(MetricsTextTest, AddsWhatHasTheNameAlone) {
  const char* page =
      "# HELP a of a\n"
      "a{x=\"1\"} 2\na{x=\"} 9 {\"} 3\na 4\na_total 100\nb 7\n";
  EXPECT_EQ(*MetricSum(page, "a"), 9);
}

TEST(MetricsTextTest, WhatIsNotThereIsNamed) {
  EXPECT_THAT(MetricSum("a 1\n", "b"),
              StatusIs(absl::StatusCode::kNotFound, "does not have b"));
  EXPECT_THAT(MetricSum("a{ b\na x\na\n", "a"),
              StatusIs(absl::StatusCode::kNotFound, "does not have a"));
}

TEST(MetricsPageTest, AServerThatIsNotThereIsUnavailable) {
  const MetricsReader reader = ReadMetricsFrom("127.0.0.1:1");
  EXPECT_THAT(reader(), StatusIs(absl::StatusCode::kUnavailable,
                                 "http://127.0.0.1:1/metrics"));
}

TEST(MetricsSampleTest, LabelsMayHoldAnything) {
  const auto sample =
      MetricsSample::Parse("a{x=\"\\\"},y=\\\\\",z=\"\\n\"} 5 1700\n");
  EXPECT_EQ(sample.Sum("a", {{"x", "\"},y=\\"}, {"z", "\n"}}), 5);
}

TEST(MetricsSampleTest, LinesThatAreCutAreLeftOut) {
  for (const char* line : {"a{", "a{x", "a{x=\"", "a{x=\"\\", "a{x=\"1\"",
                           "a{x=\"1\"}", "a", "a ", "a{} b", "{} 1"}) {
    EXPECT_EQ(MetricsSample::Parse(line).Sum("a"), 0) << line;
  }
}

TEST(MetricsSampleTest, SumsWhatHasTheLabels) {
  const auto sample = MetricsSample::Parse("a{x=\"1\"} 2\na{x=\"2\"} 3\n");
  EXPECT_EQ(sample.Sum("a"), 5);
  EXPECT_EQ(sample.Sum("a", {{"x", "2"}}), 3);
  EXPECT_EQ(sample.Sum("a", {{"y", ""}}), 0);
  EXPECT_THAT(sample.Values("a", "x"), ElementsAre("1", "2"));
}

}  // namespace
}  // namespace genzo
