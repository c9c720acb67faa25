#include "client/command_line.h"

#include "client/control_options.h"
#include "client/lora_options.h"
#include "tests/client/generate_requests.h"
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
  // CLI11 knows no shell's quotes inside quotes; the prompt is tested below.
  v1::GenerateRequest plain = request;
  plain.set_prompt("fox");
  const auto again = MadeAgain(plain);
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

TEST(CommandLineTest, SaysWhatSteersThePicture) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  v1::LoraUse& lora = *request.add_loras();
  lora.set_name("ink");
  lora.set_weight(0.8);
  lora.set_text_encoder_weight(0.5);
  lora.set_start(0);
  lora.set_end(0.75);
  request.mutable_guidance()->set_end(0.8);
  request.mutable_guidance()->set_text_gate_step(10);
  request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  request.mutable_variation()->set_seed(7);
  request.mutable_variation()->set_strength(0.25);
  v1::HiresPass& hires = *request.mutable_hires();
  hires.set_factor(1.5);
  hires.set_upscale(v1::HiresPass::UPSCALE_LATENT_BICUBIC);
  hires.set_steps(12);
  hires.set_sampler(v1::SAMPLER_EULER);
  hires.set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  request.mutable_output()->set_upscaler("lanczos");
  const CommandLine line = CommandLineOf(request);
  EXPECT_THAT(line.missing, ::testing::IsEmpty());
  const auto again = MadeAgain(request);
  ASSERT_THAT(again, IsOk());
  const auto same = [](const google::protobuf::Message& a,
                       const google::protobuf::Message& b) {
    EXPECT_EQ(a.DebugString(), b.DebugString());
  };
  same(again->loras(0), request.loras(0));
  same(again->guidance(), request.guidance());
  same(again->variation(), request.variation());
  same(again->hires(), request.hires());
  EXPECT_EQ(again->prompt_syntax(), request.prompt_syntax());
  EXPECT_EQ(again->output().upscaler(), "lanczos");
}

TEST(CommandLineTest, SaysAdaptersWhateverTheirNames) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  v1::LoraUse& lora = *request.add_loras();
  lora.set_name("v1:a,b@c's");
  lora.add_block_weights()->set_block("a=b");
  EXPECT_THAT(CommandLineOf(request).command,
              ::testing::HasSubstr(R"(--lora 'v1\:a\,b\@c'\''s:1,a\=b=0')"));
}

TEST(CommandLineTest, SaysATextWeightThatIsNotTheOther) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  v1::LoraUse& lora = *request.add_loras();
  lora.set_name("ink");
  lora.set_text_encoder_weight(1);
  EXPECT_THAT(CommandLineOf(request).command,
              ::testing::Not(::testing::HasSubstr("ink:1:")));
  lora.set_text_encoder_weight(0);
  EXPECT_THAT(CommandLineOf(request).command, ::testing::HasSubstr("ink:1:0"));
}

TEST(CommandLineTest, SaysWhereAWalkBegins) {
  v1::GenerateRequest request;
  request.mutable_guidance()->set_perturbed_attention_scale(3);
  request.mutable_guidance()->add_perturbed_layers("mid_block");
  auto& inversion = *request.mutable_image_to_image()->mutable_inversion();
  inversion.set_prompt("a cat");
  inversion.set_guidance_scale(1);
  inversion.set_steps(30);
  const CommandLine line = CommandLineOf(request);
  EXPECT_THAT(line.missing, ::testing::IsEmpty());
  EXPECT_THAT(line.command,
              ::testing::HasSubstr("--perturbed-layers mid_block"));
  EXPECT_THAT(line.command,
              ::testing::HasSubstr("--invert --invert-prompt 'a cat' "
                                   "--invert-guidance 1 --invert-steps 30"));
}

TEST(CommandLineTest, SaysSizesQualityAndKeptLatents) {
  v1::GenerateRequest request;
  request.set_prompt("fox");
  request.set_start_latents("0123abcd");
  request.mutable_image_to_image()->set_strength(0.5);
  v1::SizeConditioning::Sizes& told =
      *request.mutable_size_conditioning()->mutable_prompt();
  told.set_original_width(512);
  told.set_original_height(256);
  told.set_crop_left(4);
  told.set_crop_top(8);
  told.set_target_width(100);
  told.set_target_height(90);
  request.mutable_output()->set_quality(70);
  const CommandLine line = CommandLineOf(request);
  EXPECT_THAT(line.missing, ::testing::IsEmpty());
  const auto again = MadeAgain(request);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->start_latents(), request.start_latents());
  EXPECT_EQ(again->image_to_image().DebugString(),
            request.image_to_image().DebugString());
  EXPECT_EQ(again->size_conditioning().DebugString(),
            request.size_conditioning().DebugString());
  EXPECT_EQ(again->output().quality(), 70u);
}

TEST(CommandLineTest, SaysWhichPicturesAreFollowed) {
  v1::GenerateRequest request;
  request.add_loras()->set_name("ink");
  request.mutable_loras(0)->set_weight(0.8);
  v1::LoraBlockWeight& block = *request.mutable_loras(0)->add_block_weights();
  block.set_block("mid_block");
  block.set_weight(0.5);
  v1::ControlInput& control = *request.add_controls();
  control.set_name("canny");
  control.set_preprocessor(v1::ControlInput::PREPROCESSOR_CANNY);
  control.set_canny_low(50);
  control.set_canny_high(150);
  control.set_guess_mode(true);
  control.set_start(0.25);
  control.set_end(0.75);
  control.set_weight(0.5);
  control.set_resize_mode(v1::RESIZE_MODE_FILL);
  v1::ImagePrompt& prompt = *request.add_image_prompts();
  prompt.set_name("plus");
  prompt.set_weight(0.75);
  prompt.add_pictures();
  prompt.add_pictures();
  const CommandLine line = CommandLineOf(request);
  EXPECT_THAT(line.missing, ::testing::IsEmpty());
  EXPECT_THAT(line.command,
              ::testing::HasSubstr("--lora 'ink:0.8,mid_block=0.5'"));
  EXPECT_THAT(line.command, ::testing::HasSubstr(
                                "--control 'canny=FILE,canny,low=50,high=150,"
                                "guess,start=0.25,end=0.75,fill:0.5'"));
  EXPECT_THAT(line.command,
              ::testing::HasSubstr("--image-prompt 'plus=FILE:0.75' "
                                   "--image-prompt 'plus=FILE'"));
  v1::ControlInput again;
  std::string path;
  ASSERT_THAT(ParseControl("canny=FILE,canny,low=50,high=150,guess,start=0.25,"
                           "end=0.75,fill:0.5",
                           again, path),
              IsOk());
  EXPECT_EQ(again.DebugString(), control.DebugString());
  v1::LoraUse lora;
  EXPECT_EQ(ParseLora("ink:0.8,mid_block=0.5", lora), "");
  EXPECT_EQ(lora.DebugString(), request.loras(0).DebugString());
}

TEST(CommandLineTest, QuotesWhatAShellWouldRead) {
  EXPECT_THAT(CommandLineOf(Resolved()).command,
              ::testing::StartsWith(
                  "genzo generate 'it'\\''s a \"fox\"; $HOME' --negative fog"));
}

TEST(CommandLineTest, WritesWhatALineCannotShow) {
  v1::GenerateRequest request;
  request.set_prompt("it's\na \\ \x01");
  EXPECT_THAT(CommandLineOf(request).command,
              ::testing::StartsWith("genzo generate $'it\\'s\\na \\\\ \\001'"));
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
