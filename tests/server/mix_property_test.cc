// Design, section 6: a picture's bits do not depend on what shares its batches.

#include <random>

#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "tests/testing/tiny_control.h"
#include "tests/testing/tiny_ip_adapter.h"
#include "tests/testing/tiny_lora.h"
#include "tests/testing/tiny_sdxl.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

// What there is beside the model.
struct Beside {
  bool networks = false;  // canny and depth; plain and plus
  std::vector<std::string> loras = {};
};

// Draws requests that differ in everything that may share an evaluation.
class Mixer {
 public:
  Mixer(uint64_t seed, bool sdxl, Beside beside = {})
      : random_(seed), sdxl_(sdxl), beside_(std::move(beside)) {}

  size_t Draw(size_t n) { return random_() % n; }

  template <typename T>
  T Choose(const std::vector<T>& values) {
    return values[Draw(values.size())];
  }

  GenerateRequest Request() {
    GenerateRequest request;
    request.set_prompt(Choose<std::string>({"a fox", "fog", "", "a red ship"}));
    request.set_seed(Draw(1000));
    request.set_steps(1 + Draw(6));
    request.set_guidance_scale(Choose<double>({1, 3, 7.5}));
    request.set_width(Choose<uint32_t>({64, 64, 72}));
    request.set_sampler(Choose<v1::Sampler>(
        {v1::SAMPLER_DDIM, v1::SAMPLER_EULER, v1::SAMPLER_EULER_ANCESTRAL,
         v1::SAMPLER_DPMPP_2M, v1::SAMPLER_HEUN, v1::SAMPLER_LMS,
         v1::SAMPLER_DPM2_ANCESTRAL, v1::SAMPLER_DPMPP_2S_ANCESTRAL,
         v1::SAMPLER_DPMPP_SDE, v1::SAMPLER_UNIPC, v1::SAMPLER_LCM}));
    request.set_reproducibility(Choose<v1::Reproducibility>(
        {v1::REPRODUCIBILITY_FAST, v1::REPRODUCIBILITY_REPRODUCIBLE}));
    request.set_priority(Choose<v1::Priority>(
        {v1::PRIORITY_LOW, v1::PRIORITY_NORMAL, v1::PRIORITY_HIGH}));
    request.mutable_output()->set_embed_parameters(false);
    if (sdxl_) AddSdxl(request);
    AddSteering(request);
    if (Draw(3) == 0) {
      AddMask(request);
    } else if (!sdxl_ && Draw(4) == 0) {
      AddStart(request);
    }
    if (beside_.networks) {
      AddControls(request);
      AddImagePrompts(request);
    }
    if (!beside_.loras.empty()) AddLoras(request);
    if (Draw(4) == 0) AddInversion(request);
    if (!request.has_image_to_image() && Draw(4) == 0) AddHires(request);
    return request;
  }

 private:
  // Other rows at other steps, other lengths of text, other noise.
  void AddSteering(GenerateRequest& request) {
    if (Draw(3) == 0) {
      request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
      request.set_prompt(Choose<std::string>(
          {"a (red:1.4) fox", "a [dull] ship BREAK fog", "fog",
           "a [red:blue:0.5] fox", "[a|the (red:1.2)] ship", "[fog:2] BREAK a",
           "[a fox::1]"}));
      request.set_negative_prompt(Choose<std::string>({"", "[fog:ice:3]"}));
    }
    switch (Draw(6)) {
      case 0:
        request.mutable_guidance()->set_start(Choose<double>({0, 0.3}));
        request.mutable_guidance()->set_end(0.7);
        break;
      case 1:
        request.mutable_guidance()->set_perturbed_attention_scale(3);
        break;
      case 2:
        if (request.has_image_to_image()) break;
        request.mutable_guidance()->set_text_gate_step(1 +
                                                       Draw(request.steps()));
        break;
      case 3:
        request.mutable_variation()->set_seed(Draw(1000));
        request.mutable_variation()->set_strength(0.4);
        break;
      case 4:
        request.mutable_variation()->set_resize_from_width(72);
        request.mutable_variation()->set_resize_from_height(64);
        break;
      default:
        break;
    }
  }

  // A way up before the rest, of a picture of its own if there is none.
  void AddInversion(GenerateRequest& request) {
    if (request.has_inpainting() || request.has_variation()) return;
    v1::ImageToImage& start = *request.mutable_image_to_image();
    if (start.image().empty()) {
      start.set_image(ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
      start.set_strength(1);
    }
    v1::ImageToImage::Inversion& inversion = *start.mutable_inversion();
    inversion.set_steps(2 + Draw(4));
    inversion.set_guidance_scale(Choose<double>({1, 1, 4}));
    if (Draw(2) == 0) inversion.set_prompt("a dog");
  }

  void AddHires(GenerateRequest& request) {
    v1::HiresPass& hires = *request.mutable_hires();
    hires.set_factor(Choose<double>({1.25, 2}));
    hires.set_steps(2 + Draw(3));
    hires.set_strength(Choose<double>({0.6, 1}));
    hires.set_upscale(Choose<v1::HiresPass::Upscale>(
        {v1::HiresPass::UPSCALE_LATENT, v1::HiresPass::UPSCALE_LATENT_BICUBIC,
         v1::HiresPass::UPSCALE_LANCZOS}));
  }

  // Of a picture with a part that stays as it is.
  void AddMask(GenerateRequest& request) {
    const auto file = [](const char* name) {
      return ReadFile(SourcePath(std::string("tests/data/pictures/") + name));
    };
    request.mutable_image_to_image()->set_image(file("rgb_png.png"));
    request.mutable_image_to_image()->set_strength(1);
    v1::Inpainting& inpainting = *request.mutable_inpainting();
    inpainting.mutable_mask()->set_data(file("bilevel.png"));
    inpainting.set_mask_blur(Draw(3));
    inpainting.set_only_masked(Draw(2) == 0);
    inpainting.set_fill(Choose<v1::Inpainting::Fill>(
        {v1::Inpainting::FILL_ORIGINAL, v1::Inpainting::FILL_NOISE,
         v1::Inpainting::FILL_BLUR}));
    request.set_height(64);
  }

  void AddSdxl(GenerateRequest& request) {
    request.set_prompt_2(Choose<std::string>({"", "watercolour"}));
    request.set_negative_prompt(Choose<std::string>({"", "people"}));
    if (Draw(3) == 0) request.mutable_refiner()->set_switch_at(0.5);
    if (Draw(3) == 0) {
      request.mutable_size_conditioning()->mutable_prompt()->set_crop_top(
          Draw(64));
    }
    if (Draw(3) > 0) return;
    AddStart(request);
  }

  // Of a picture that is begun with, some of the steps.
  void AddStart(GenerateRequest& request) {
    request.set_steps(2 + Draw(4));
    request.mutable_image_to_image()->set_image(
        ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
    request.mutable_image_to_image()->set_strength(Choose<double>({0.5, 0.9}));
    request.mutable_guidance()->clear_text_gate_step();
  }

  void AddLoras(GenerateRequest& request) {
    for (size_t n = Draw(3); n > 0; --n) {
      v1::LoraUse& lora = *request.add_loras();
      lora.set_name(Choose(beside_.loras));
      lora.set_weight(Choose<double>({0.3, 1, -0.5}));
      if (Draw(3) == 0) lora.set_text_encoder_weight(0);
      if (Draw(3) == 0) lora.set_start(0.4);
      if (Draw(4) == 0) {
        lora.add_block_weights()->set_block("down_blocks");
        lora.mutable_block_weights(0)->set_weight(0.5);
      }
    }
  }

  void AddImagePrompts(GenerateRequest& request) {
    for (size_t n = Draw(5) / 3; n > 0; --n) {
      v1::ImagePrompt& prompt = *request.add_image_prompts();
      prompt.set_name(Choose<std::string>({"plain", "plus"}));
      prompt.set_weight(Choose<double>({0.4, 1}));
      prompt.add_pictures()->set_data(
          ReadFile(SourcePath("tests/data/pictures/half_color.jpg")));
    }
  }

  // None, one or two of the folder's control networks.
  void AddControls(GenerateRequest& request) {
    for (size_t n = Draw(3); n > 0; --n) {
      v1::ControlInput& control = *request.add_controls();
      control.set_name(Choose<std::string>({"canny", "depth"}));
      control.mutable_picture()->set_data(ReadFile(SourcePath(
          Choose<std::string>({"tests/data/pictures/rgb_png.png",
                               "tests/data/pictures/half_color.jpg"}))));
      control.set_preprocessor(Choose<v1::ControlInput::Preprocessor>(
          {v1::ControlInput::PREPROCESSOR_NONE,
           v1::ControlInput::PREPROCESSOR_CANNY}));
      if (request.has_inpainting() && Draw(2) == 0) {
        control.set_preprocessor(v1::ControlInput::PREPROCESSOR_INPAINT);
      }
      control.set_weight(Choose<double>({0.5, 1}));
      control.set_end(Choose<double>({0.5, 1}));
      control.set_guess_mode(Draw(3) == 0);
    }
  }

  std::mt19937_64 random_;
  const bool sdxl_;
  const Beside beside_;
};

struct Difference {
  int reproducible = 0;  // largest
  int fast = 0;
  int compared = 0;
};

void RunMix(const Server& server, Mixer& mixer, Difference& difference) {
  std::vector<GenerateRequest> requests;
  for (size_t n = 2 + mixer.Draw(4); n > 0; --n) {
    requests.push_back(mixer.Request());
  }
  std::vector<std::string> alone;
  for (const GenerateRequest& request : requests) {
    alone.push_back(PictureOf(Call(server, request).Rest()));
  }
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<bool> cancelled;
  for (const GenerateRequest& request : requests) {
    calls.push_back(std::make_unique<Call>(
        server, request,
        Call::Options{.tenant = mixer.Choose<std::string>({"", "a", "b"})}));
    // Some come when the one before is under way, and some leave then.
    if (mixer.Draw(2) == 0) calls.back()->ReadUntil(IsProgress);
    cancelled.push_back(mixer.Draw(6) == 0);
    if (cancelled.back()) calls.back()->Cancel();
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    const std::string picture = PictureOf(calls[i]->Rest());
    if (cancelled[i]) continue;
    int& largest =
        requests[i].reproducibility() == v1::REPRODUCIBILITY_REPRODUCIBLE
            ? difference.reproducible
            : difference.fast;
    largest = std::max(largest, LargestDifference(picture, alone[i]));
    ++difference.compared;
  }
}

void ExpectEqualBits(const Config& config, Mixer mixer, int mixes) {
  const Server server(config);
  Difference difference;
  for (int mix = 0; mix < mixes; ++mix) RunMix(server, mixer, difference);
  EXPECT_GT(difference.compared, mixes);
  EXPECT_EQ(difference.reproducible, 0);
  EXPECT_EQ(difference.fast, 0) << "on the CPU no company changes a bit";
}

TEST(MixPropertyTest, EachPictureEqualsItsSoloRunInFloat32) {
  ExpectEqualBits(TinyConfig(), Mixer(/*seed=*/1, /*sdxl=*/false),
                  /*mixes=*/40);
}

TEST(MixPropertyTest, EachPictureEqualsItsSoloRunInTheProcessorsType) {
  Config config = TinyConfig();
  config.dtype = "auto";
  ExpectEqualBits(config, Mixer(/*seed=*/1, /*sdxl=*/false), /*mixes=*/40);
}

TEST(MixPropertyTest, EachPictureWithAdaptersEqualsItsSoloRun) {
  const TestFolder folder;
  WriteLora(folder, "ink", TinyLora(/*rank=*/2));
  WriteLora(folder, "line", TinyLora(/*rank=*/5));
  WriteLora(folder, "wash", TinyLora(/*rank=*/16, /*strength=*/0.2));
  for (const char* dtype : {"float32", "auto"}) {
    Config config = TinyConfig();
    config.dtype = dtype;
    config.loras = {folder.path()};
    ExpectEqualBits(
        config,
        Mixer(/*seed=*/3, /*sdxl=*/false, {.loras = {"ink", "line", "wash"}}),
        /*mixes=*/20);
  }
}

// Adapters, control networks, image prompts, masks and starts, all mixed.
TEST(MixPropertyTest, EachSteeredPictureEqualsItsSoloRun) {
  const TestFolder folder;
  WriteTinyControl(folder, "nets/canny");
  WriteTinyControl(folder, "nets/depth", 0.7);
  const TestFolder prompts;
  WriteTinyImageEncoder(prompts.path());
  WriteTinyIpAdapter(prompts.path(), "plain", /*plus=*/false);
  WriteTinyIpAdapter(prompts.path(), "plus", /*plus=*/true);
  const TestFolder loras;
  WriteLora(loras, "ink", TinyLora(/*rank=*/2));
  WriteLora(loras, "wash", TinyLora(/*rank=*/16, /*strength=*/0.2));
  Config config = TinyConfig();
  config.controlnets = {folder.path() + "/nets"};
  config.ip_adapters = {prompts.path()};
  config.loras = {loras.path()};
  ExpectEqualBits(config,
                  Mixer(/*seed=*/3, /*sdxl=*/false,
                        {.networks = true, .loras = {"ink", "wash"}}),
                  /*mixes=*/40);
}

TEST(MixPropertyTest, EachPictureOfSdxlAndItsRefinerEqualsItsSoloRun) {
  const TestFolder folder;
  Config config = TinyConfig();
  config.models = {{"tiny", WriteTinySdxl(folder, /*with_refiner=*/true)}};
  ExpectEqualBits(config, Mixer(/*seed=*/2, /*sdxl=*/true), /*mixes=*/25);
}

}  // namespace
}  // namespace genzo
