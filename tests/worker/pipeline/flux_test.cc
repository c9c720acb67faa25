#include "worker/pipeline/flux.h"

#include <filesystem>

#include "ATen/ops/equal.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

std::string Folder() {
  return SourcePath("tests/data/reference/models/flux-dev");
}

const Pipeline& TinyFlux() {
  static const Pipeline* const model =
      LoadPipeline(Folder(), Placement())->release();
  return *model;
}

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("a sunset sea");
  request.set_guidance_scale(3.5);
  request.set_sampler(v1::SAMPLER_FLOW_EULER);
  request.set_steps(4);
  request.set_seed(1);
  request.set_width(64);
  request.set_height(48);
  request.set_max_sequence_length(24);
  return request;
}

const Prepared& PreparedOf(const Encoded& encoded) {
  return *encoded.prepared[0];
}

absl::StatusOr<Encoded> Encode(const v1::GenerateRequest& request) {
  TextCache texts(1 << 20);
  return TinyFlux().Encode({{.request = request}}, /*together=*/true, texts)[0];
}

TEST(FluxTest, TellsWhatItCanDo) {
  const PipelineTraits& traits = TinyFlux().traits();
  EXPECT_EQ(traits.family, "flux");
  EXPECT_THAT(traits.tasks,
              ElementsAre(v1::TASK_TEXT_TO_IMAGE, v1::TASK_IMAGE_TO_IMAGE,
                          v1::TASK_INPAINTING));
  EXPECT_EQ(traits.samplers[0], v1::SAMPLER_FLOW_EULER);
  EXPECT_THAT(traits.samplers, ::testing::Contains(v1::SAMPLER_FLOW_HEUN));
  EXPECT_THAT(traits.samplers,
              ::testing::Not(::testing::Contains(v1::SAMPLER_EULER)))
      << "it cannot read the model's schedule";
  EXPECT_EQ(traits.size_multiple, 16);
  EXPECT_EQ(traits.default_width, 1024);
  EXPECT_EQ(traits.defaults.steps, 28);
  EXPECT_EQ(traits.defaults.guidance_scale, 3.5);
  EXPECT_EQ(RowsOf(traits, 3.5), 1) << "it is told its guidance";
  EXPECT_THAT(traits.request_fields, Contains("true_guidance_scale"));
}

TEST(FluxTest, TakesTheBytesThatItsFilesPromise) {
  const auto bytes = PipelineWeightBytes(Folder(), Placement());
  ASSERT_THAT(bytes, IsOk());
  EXPECT_EQ(bytes->all, TinyFlux().weight_bytes());
}

// What is embedded beside the blocks, the time included: by diffusers' names
// and by the original's.
TEST(FluxTest, AdaptersMayChangeEveryLayer) {
  const auto targets = TinyFlux().adapter_targets();
  std::string component;
  for (const char* name :
       {"transformer_time_text_embed_timestep_embedder_linear_1",
        "transformer_time_text_embed_guidance_embedder_linear_2",
        "transformer_x_embedder", "transformer_proj_out",
        "transformer_norm_out_linear", "lora_unet_time_in_in_layer",
        "lora_unet_time_in_out_layer", "lora_unet_guidance_in_in_layer",
        "lora_unet_vector_in_out_layer", "lora_unet_img_in", "lora_unet_txt_in",
        "lora_unet_final_layer_linear",
        "lora_unet_final_layer_adaLN_modulation_1"}) {
    EXPECT_NE(targets->Find(name, component), nullptr) << name;
  }
}

TEST(FluxTest, TrueGuidanceHasARowForWhatToStayAwayFrom) {
  v1::GenerateRequest request = Request();
  EXPECT_EQ(PreparedOf(*Encode(request)).rows, 1);
  request.set_true_guidance_scale(2);
  const auto plain = Encode(request);
  EXPECT_EQ(PreparedOf(*plain).rows, 2);
  request.set_negative_prompt("fog");
  const auto away = Encode(request);
  for (int64_t tensor = 0; tensor < 2; ++tensor) {
    const at::Tensor a = PreparedOf(*plain).tensors[tensor];
    const at::Tensor b = PreparedOf(*away).tensors[tensor];
    EXPECT_FALSE(at::equal(a[0], b[0]));
    EXPECT_THAT(a[1], TensorEquals(b[1]));
  }
}

TEST(FluxTest, EachEncoderReadsItsPrompt) {
  v1::GenerateRequest request = Request();
  const auto one = Encode(request);
  request.set_prompt_2("a fox");
  const auto two = Encode(request);
  EXPECT_FALSE(
      at::equal(PreparedOf(*one).tensors[0], PreparedOf(*two).tensors[0]));
  EXPECT_THAT(PreparedOf(*one).tensors[1],
              TensorEquals(PreparedOf(*two).tensors[1]))
      << "CLIP reads the first";
}

TEST(FluxTest, ReadsAsManyTokensAsAskedFor) {
  v1::GenerateRequest request = Request();
  EXPECT_EQ(PreparedOf(*Encode(request)).tensors[0].size(1), 24);
  request.clear_max_sequence_length();
  EXPECT_EQ(PreparedOf(*Encode(request)).tensors[0].size(1), 512);
}

TEST(FluxTest, JobsThatAreEncodedTogetherGetWhatTheyGetAlone) {
  std::vector<v1::GenerateRequest> requests(3, Request());
  requests[1].set_prompt("a fox in the snow, oil painting");
  requests[2].set_true_guidance_scale(2);
  requests[2].set_max_sequence_length(7);
  std::vector<EncodeTask> tasks;
  for (const auto& request : requests) tasks.push_back({.request = request});
  TextCache texts(1 << 20);
  const auto together = TinyFlux().Encode(tasks, true, texts);
  for (size_t i = 0; i < tasks.size(); ++i) {
    ASSERT_THAT(together[i], IsOk());
    const auto alone = Encode(requests[i]);
    for (size_t tensor = 0; tensor < 2; ++tensor) {
      EXPECT_THAT(PreparedOf(*together[i]).tensors[tensor],
                  TensorEquals(PreparedOf(*alone).tensors[tensor]))
          << i;
    }
  }
}

TEST(FluxTest, APictureLeavesOnlyItsShareOfTheSteps) {
  v1::GenerateRequest request = Request();
  request.set_steps(8);
  request.mutable_image_to_image()->set_strength(0.6);
  const genzo::Run run = MakeRunOf(TinyFlux(), request);
  EXPECT_EQ(run.progress().evaluations, 5) << "what is left is rounded up";
}

// Everything that may differ within an evaluation does.
TEST(FluxTest, ARunInAMixedBatchHasTheBitsOfOneAlone) {
  std::vector<v1::GenerateRequest> requests(5, Request());
  requests[1].set_prompt("a fox");
  requests[1].set_guidance_scale(1.5);
  requests[1].set_steps(3);
  requests[2].set_true_guidance_scale(4);
  requests[2].set_negative_prompt("people, text");
  requests[3].set_sampler(v1::SAMPLER_FLOW_HEUN);
  requests[3].set_seed(7);
  requests[4].mutable_image_to_image()->set_strength(0.5);
  requests[4].set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  std::vector<genzo::Run> together;
  for (const auto& request : requests) {
    together.push_back(MakeRunOf(TinyFlux(), request));
    EXPECT_EQ(together.back().key(), together.front().key());
  }
  FinishRuns(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(MakeRunOf(TinyFlux(), requests[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent())) << i;
  }
}

class BrokenFluxTest : public ::testing::Test {
 protected:
  BrokenFluxTest() {
    namespace fs = std::filesystem;
    fs::copy(Folder(), folder_.path() + "/model", fs::copy_options::recursive);
  }
  absl::Status With(const std::string& file, const std::string& text) {
    folder_.Write("model/" + file, text);
    return LoadPipeline(folder_.path() + "/model", Placement()).status();
  }

  const TestFolder folder_;
};

TEST_F(BrokenFluxTest, ComponentsThatDoNotFitAreNamed) {
  const std::string file = "transformer/config.json";
  nlohmann::json config =
      nlohmann::json::parse(ReadFile(Folder() + "/" + file));
  config["in_channels"] = 16;
  EXPECT_THAT(With(file, config.dump()),
              StatusIs(absl::StatusCode::kInvalidArgument, "x_embedder"));
  config["in_channels"] = 64;
  config["guidance_embeds"] = false;
  EXPECT_THAT(
      With(file, config.dump()),
      StatusIs(absl::StatusCode::kInvalidArgument, "guidance_embedder"));
}

TEST_F(BrokenFluxTest, ATokenizerThatIsNotSentencePieceIsNamed) {
  std::filesystem::remove(folder_.path() + "/model/tokenizer_2/spiece.model");
  EXPECT_THAT(With("genzo.json", "{}"),
              StatusIs(absl::StatusCode::kNotFound, "spiece.model"));
}

}  // namespace
}  // namespace genzo
