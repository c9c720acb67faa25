#include "client/command_line.h"

#include "client/generate_command.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::GenerateRequest Resolved() {
  v1::GenerateRequest request;
  request.set_prompt("it's a \"fox\"; $HOME");
  request.set_negative_prompt("fog");
  request.set_model("emaki");
  request.set_seed(18446744073709551615u);
  request.set_width(128);
  request.set_height(64);
  request.set_steps(20);
  request.set_guidance_scale(3.25);
  request.set_sampler(v1::SAMPLER_DPMPP_2M);
  request.set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  request.set_eta(0.1);
  request.set_reproducibility(v1::REPRODUCIBILITY_REPRODUCIBLE);
  request.set_safety_policy(v1::SAFETY_POLICY_BLUR);
  request.mutable_output()->set_format(v1::IMAGE_FORMAT_JPEG);
  request.mutable_output()->set_quality(90);
  request.mutable_output()->set_watermark(true);
  return request;
}

TEST(CommandLineTest, ItsOptionsMakeTheRequestAgain) {
  const v1::GenerateRequest request = Resolved();
  const CommandLine line = CommandLineOf(request);
  EXPECT_THAT(line.missing, ::testing::IsEmpty());
  CLI::App app("genzo");
  const std::string server;
  GenerateCommand command(app, server);
  // CLI11 knows no shell's quotes inside quotes; the prompt is tested below.
  v1::GenerateRequest plain = request;
  plain.set_prompt("fox");
  app.parse(CommandLineOf(plain).command, /*program_name_included=*/true);
  const auto again = command.MakeRequest();
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->prompt(), "fox");
  EXPECT_EQ(again->negative_prompt(), request.negative_prompt());
  EXPECT_EQ(again->model(), request.model());
  EXPECT_EQ(again->seed(), request.seed());
  EXPECT_EQ(again->width(), request.width());
  EXPECT_EQ(again->height(), request.height());
  EXPECT_EQ(again->steps(), request.steps());
  EXPECT_EQ(again->guidance_scale(), request.guidance_scale());
  EXPECT_EQ(again->sampler(), request.sampler());
  EXPECT_EQ(again->schedule(), request.schedule());
  EXPECT_EQ(again->eta(), request.eta());
  EXPECT_EQ(again->reproducibility(), request.reproducibility());
  EXPECT_EQ(again->safety_policy(), request.safety_policy());
  EXPECT_EQ(again->output().format(), request.output().format());
  EXPECT_TRUE(again->output().watermark());
}

TEST(CommandLineTest, QuotesWhatAShellWouldRead) {
  EXPECT_THAT(CommandLineOf(Resolved()).command,
              ::testing::StartsWith(
                  "genzo generate 'it'\\''s a \"fox\"; $HOME' --negative fog"));
}

TEST(CommandLineTest, NamesWhatItHasNoOptionsFor) {
  v1::GenerateRequest request = Resolved();
  request.mutable_churn()->set_amount(1);
  request.mutable_image_to_image()->set_strength(0.5);
  const CommandLine line = CommandLineOf(request);
  EXPECT_THAT(line.command,
              ::testing::HasSubstr("--image FILE --strength 0.5"));
  EXPECT_THAT(line.missing, ::testing::ElementsAre("churn"));
}

}  // namespace
}  // namespace genzo
