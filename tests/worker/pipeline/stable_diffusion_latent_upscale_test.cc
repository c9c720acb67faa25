#include "worker/pipeline/stable_diffusion_latent_upscale.h"

#include <filesystem>

#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

// The recorded U-Net with text encoder and autoencoder of the tiny model.
class LatentUpscaleTest : public ::testing::Test {
 protected:
  LatentUpscaleTest()
      : golden_(*SafetensorsFile::Open(
            SourcePath("tests/data/latent_upscaler/golden.safetensors"))) {
    for (const char* part : {"text_encoder", "tokenizer", "vae"}) {
      Link(TinyModelFolder(), part);
    }
    Link(SourcePath("tests/data/latent_upscaler"), "unet");
    Link(SourcePath("tests/data/latent_upscaler"), "scheduler");
    folder_.Write("model_index.json", R"({
        "_class_name": "StableDiffusionLatentUpscalePipeline",
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"]})");
    auto loaded = LoadPipeline(folder_.path(), Placement());
    EXPECT_THAT(loaded, IsOk());
    model_ = *std::move(loaded);
  }

  void Link(const std::string& from, const std::string& part) const {
    fs::create_directory_symlink(from + "/" + part,
                                 folder_.path() + "/" + part);
  }

  // That of the golden.
  static v1::GenerateRequest Request(double guidance_scale) {
    v1::GenerateRequest request;
    request.set_prompt("a photograph of a fox");
    request.set_negative_prompt("blurry");
    request.set_guidance_scale(guidance_scale);
    request.set_sampler(v1::SAMPLER_EULER);
    request.set_steps(4);
    request.set_seed(7);
    request.set_width(128);
    request.set_height(128);
    request.mutable_image_to_image()->set_strength(1);
    return request;
  }

  genzo::Run RunOf(const v1::GenerateRequest& request) const {
    TextCache texts(1 << 20);
    const auto encoded = model_->Encode(
        {{.request = request, .picture = *golden_->Read("image")}},
        /*together=*/true, texts);
    return genzo::Run(
        *model_->Plan({.request = request,
                       .noise = std::make_shared<SeededNoise>(request.seed())},
                      *encoded[0]));
  }

  const TestFolder folder_;
  const std::shared_ptr<const SafetensorsFile> golden_;
  std::unique_ptr<const Pipeline> model_;
};

TEST_F(LatentUpscaleTest, TellsWhatItCanDo) {
  const PipelineTraits& traits = model_->traits();
  EXPECT_THAT(traits.tasks, ::testing::ElementsAre(v1::TASK_IMAGE_TO_IMAGE));
  EXPECT_EQ(traits.picture_divisor, 2);
  EXPECT_EQ(traits.size_multiple, 64);
  EXPECT_EQ(traits.default_width, 128);
  EXPECT_EQ(PipelineWeightBytes(folder_.path(), Placement())->all,
            model_->weight_bytes());
}

TEST_F(LatentUpscaleTest, HeadsAloneTellWhatItIs) {
  const auto described = DescribePipeline(folder_.path(), Placement());
  ASSERT_THAT(described, IsOk());
  EXPECT_EQ((*described)->traits().size_multiple, 64);
  EXPECT_EQ((*described)->traits().samplers, model_->traits().samplers);
}

TEST_F(LatentUpscaleTest, DrawsAsTheReference) {
  for (const auto& [name, scale] :
       {std::pair("guided.latents", 3.0), std::pair("plain.latents", 0.0)}) {
    std::vector<genzo::Run> runs;
    runs.push_back(RunOf(Request(scale)));
    FinishRuns(runs);
    const at::Tensor expected = *golden_->Read(name);
    EXPECT_THAT(runs[0].latent(),
                TensorNear(expected, 1e-4 * expected.abs().max().item<float>()))
        << name;
  }
}

TEST_F(LatentUpscaleTest, ARunInAMixedBatchHasTheBitsOfOneAlone) {
  std::vector<v1::GenerateRequest> requests(3, Request(3));
  requests[0].set_prompt("a heron");
  requests[1] = Request(0);
  requests[1].set_steps(6);
  requests[2].set_sampler(v1::SAMPLER_DPMPP_2M);
  requests[2].set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  std::vector<genzo::Run> together;
  for (const auto& request : requests) together.push_back(RunOf(request));
  FinishRuns(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(RunOf(requests[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent())) << i;
  }
}

TEST_F(LatentUpscaleTest, NeedsAPicture) {
  const v1::GenerateRequest request = Request(0);
  TextCache texts(1 << 20);
  EXPECT_THAT(model_->Encode({{.request = request}}, true, texts)[0].status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "image_to_image is missing"));
}

TEST_F(LatentUpscaleTest, NamesSizesThatDoNotFit) {
  const std::string unet = SourcePath("tests/data/latent_upscaler/unet/");
  auto config = nlohmann::json::parse(ReadFile(unet + "config.json"));
  config["time_cond_proj_dim"] = 100;
  fs::remove(folder_.path() + "/unet");
  folder_.Write("unet/config.json", config.dump());
  fs::create_symlink(
      unet + "diffusion_pytorch_model.safetensors",
      folder_.path() + "/unet/diffusion_pytorch_model.safetensors");
  EXPECT_THAT(LoadPipeline(folder_.path(), Placement()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "are not those of a latent upscaler: 8, 5 and 136"));
}

}  // namespace
}  // namespace genzo
