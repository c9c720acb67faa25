#include "worker/pipeline/stable_diffusion.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/adaptive_avg_pool2d.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/pipeline/pipeline_table.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/weights/tensor_pool.h"

namespace genzo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("a sunset sea");
  request.set_guidance_scale(3);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.set_steps(5);
  request.set_seed(1);
  request.set_width(64);
  request.set_height(64);
  return request;
}

TEST(StableDiffusionTest, TellsWhatItCanDo) {
  const PipelineTraits& traits = TinyPipeline().traits();
  EXPECT_EQ(traits.family, "stable-diffusion");
  EXPECT_THAT(traits.tasks,
              ElementsAre(v1::TASK_TEXT_TO_IMAGE, v1::TASK_IMAGE_TO_IMAGE,
                          v1::TASK_INPAINTING));
  EXPECT_EQ(traits.samplers[0], v1::SAMPLER_PNDM) << "its own comes first";
  EXPECT_THAT(traits.samplers, Contains(v1::SAMPLER_DPMPP_2M));
  EXPECT_EQ(traits.defaults.sampler, v1::SAMPLER_PNDM);
  EXPECT_EQ(RowsOf(traits, 1.0), 1);
  EXPECT_EQ(RowsOf(traits, 1.5), 2);
}

TEST(StableDiffusionTest, EncodesTheNegativePromptForGuidedImagesAlone) {
  v1::GenerateRequest request = Request();
  TextCache texts(1 << 20);
  const auto rows = [&] {
    const auto encoded = TinyPipeline().Encode({{.request = request}},
                                               /*together=*/true, texts);
    return (*encoded[0]).prepared[0]->rows;
  };
  EXPECT_EQ(rows(), 2);
  request.set_guidance_scale(1);
  EXPECT_EQ(rows(), 1);
}

// As in the reference, where pipelines of U-Nets do not look at it.
TEST(StableDiffusionTest, LatentsAreShiftedForFlowModelsAlone) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  auto index = *ReadModelIndex(model);
  index.pool = std::make_shared<TensorPool>(at::kCPU);
  const at::Tensor latents = at::randn({1, 4, 3, 5});
  const auto before = *AutoencoderKLCodec::Load(index, Placement());
  const double scale = before->config().scaling_factor;
  const std::string file = "model/vae/config.json";
  nlohmann::json config =
      nlohmann::json::parse(ReadFile(folder.path() + "/" + file));
  config["shift_factor"] = 0.5;
  folder.Write(file, config.dump());
  index = *ReadModelIndex(model);
  index.pool = std::make_shared<TensorPool>(at::kCPU);
  const auto unshifted = *AutoencoderKLCodec::Load(index, Placement());
  EXPECT_THAT(unshifted->Scale(latents), TensorEquals(before->Scale(latents)));
  EXPECT_THAT(unshifted->Decode(latents),
              TensorEquals(before->Decode(latents)));
  index.pipeline_class = "StableDiffusion3Pipeline";
  const auto shifted = *AutoencoderKLCodec::Load(index, Placement());
  EXPECT_THAT(shifted->Scale(latents),
              TensorNear((latents - 0.5) * scale, 1e-6));
  EXPECT_THAT(shifted->Decode(latents - 0.5 * scale),
              TensorNear(before->Decode(latents), 1e-4));
}

// The tiny model as one that sees the picture beside the sample.
void WriteFollower(const TestFolder& folder) {
  folder.CopyTinyModel();
  const std::string unet = folder.path() + "/model/unet/";
  nlohmann::json config = nlohmann::json::parse(ReadFile(unet + "config.json"));
  config["in_channels"] = 8;
  NamedTensors tensors =
      ReadTensors(unet + "diffusion_pytorch_model.safetensors");
  at::Tensor& conv_in = tensors["conv_in.weight"];
  conv_in = at::cat({conv_in, conv_in}, 1);
  folder.Write("model/unet/config.json", config.dump());
  folder.Write("model/unet/diffusion_pytorch_model.safetensors",
               TensorsFile(tensors));
}

// As in the reference, where the text alone does not guide either.
TEST(StableDiffusionTest, AWeakPictureTurnsAllGuidanceOff) {
  const TestFolder folder;
  WriteFollower(folder);
  const auto follower = LoadPipeline(folder.path() + "/model", Placement());
  ASSERT_THAT(follower, IsOk());
  v1::GenerateRequest request = Request();
  request.mutable_image_to_image()->set_strength(1);
  const auto rows = [&] {
    const genzo::Run run = MakeRunOf(**follower, request);
    EXPECT_EQ(run.stage().prepared->rows, run.stage().guidance.rows);
    return run.stage().guidance.rows;
  };
  EXPECT_EQ(rows(), 3) << "the default is 1.5";
  request.set_image_guidance_scale(1);
  EXPECT_EQ(rows(), 3);
  request.set_image_guidance_scale(0.5);
  EXPECT_EQ(rows(), 1);
  request.set_image_guidance_scale(2);
  request.set_guidance_scale(1);
  EXPECT_EQ(rows(), 1);
  // Of models that see none it says nothing.
  request.set_guidance_scale(3);
  request.set_image_guidance_scale(0.5);
  EXPECT_EQ(MakeRunOf(TinyPipeline(), request).stage().guidance.rows, 2);
}

TEST(StableDiffusionTest, JobsThatAreEncodedTogetherGetWhatTheyGetAlone) {
  std::vector<v1::GenerateRequest> requests(3, Request());
  requests[1].set_prompt("a fox");
  requests[1].set_guidance_scale(1);
  requests[2].set_clip_skip(1);
  std::vector<EncodeTask> tasks;
  for (const auto& request : requests) tasks.push_back({.request = request});
  TextCache texts(1 << 20);
  const auto together = TinyPipeline().Encode(tasks, true, texts);
  for (size_t i = 0; i < tasks.size(); ++i) {
    TextCache own(1 << 20);
    const auto alone = TinyPipeline().Encode({tasks[i]}, false, own);
    ASSERT_THAT(together[i], IsOk());
    EXPECT_THAT(together[i]->prepared[0]->tensors[0],
                TensorEquals(alone[0]->prepared[0]->tensors[0]));
  }
}

TEST(StableDiffusionTest, APictureLeavesOnlyItsShareOfTheSteps) {
  v1::GenerateRequest request = Request();
  request.mutable_image_to_image()->set_strength(0.6);
  const genzo::Run run = MakeRunOf(TinyPipeline(), request);
  EXPECT_EQ(run.progress().evaluations, 3);
  EXPECT_EQ(run.progress().steps, 5);
  EXPECT_EQ(run.progress().steps_done, 2);
}

TEST(StableDiffusionTest, AnEditedPromptIsThatOfEachStep) {
  v1::GenerateRequest request = Request();
  request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  request.set_negative_prompt("fog");
  std::vector<v1::GenerateRequest> parts(3, request);
  parts[0].set_prompt("a (red:1.3) fox");
  parts[1].set_prompt("a castle");
  parts[2].set_prompt("a castle");
  parts[2].set_negative_prompt("people");
  request.set_prompt("a [(red:1.3) fox:castle:2]");
  request.set_negative_prompt("[fog:people:0.8]");
  std::vector<genzo::Run> edited;
  edited.push_back(MakeRunOf(TinyPipeline(), request));
  FinishRuns(edited);
  EXPECT_THAT(edited[0].latent(), TensorEquals(SwitchedByHand(
                                      TinyPipeline(), parts, {0, 0, 1, 1, 2})));
  // From a picture, steps are those of the whole walk.
  request.mutable_image_to_image()->set_strength(0.6);
  for (auto& part : parts) part.mutable_image_to_image()->set_strength(0.6);
  edited.clear();
  edited.push_back(MakeRunOf(TinyPipeline(), request));
  FinishRuns(edited);
  EXPECT_THAT(edited[0].latent(),
              TensorEquals(SwitchedByHand(TinyPipeline(), parts, {1, 1, 2})));
}

// Whose longest text decides how many windows all of them have.
TEST(StableDiffusionTest, TextsOfAnEditedPromptHaveOneLength) {
  v1::GenerateRequest request = Request();
  request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  request.set_prompt("[a|a BREAK b]");
  const genzo::Run run = MakeRunOf(TinyPipeline(), request);
  const Prepared& prepared = *run.stage().prepared;
  ASSERT_EQ(prepared.later.size(), 4u);
  EXPECT_EQ(prepared.later[0].prepared, prepared.later[2].prepared)
      << "each text is prepared once";
  EXPECT_EQ(prepared.tensors[0].sizes(),
            prepared.later[0].prepared->tensors[0].sizes());
}

// At strength 0 < s << 1 the picture stays what the autoencoder makes of it.
TEST(StableDiffusionTest, AWeakStrengthKeepsThePicture) {
  const auto emaki = LoadPipeline(SourcePath("models/emaki"), Placement());
  ASSERT_THAT(emaki, IsOk());
  v1::GenerateRequest request = Request();
  request.set_width(128);
  request.set_height(128);
  request.set_steps(20);
  const auto distance = [&](double strength) {
    request.mutable_image_to_image()->set_strength(strength);
    std::vector<genzo::Run> runs;
    runs.push_back(MakeRunOf(**emaki, request));
    FinishRuns(runs);
    const at::Tensor grey = at::full({1, 3, 128, 128}, 0.5);
    return at::abs((*emaki)->codec().Decode(runs[0].latent()) - grey)
        .mean()
        .item<double>();
  };
  EXPECT_LT(distance(0.1), 0.1);
  EXPECT_GT(distance(1.0), 2 * distance(0.1));
}

// A random autoencoder has no colours to speak of, so this takes the model in
// the box.
TEST(StableDiffusionTest, LinearPreviewsHaveThePicturesColours) {
  const auto emaki = LoadPipeline(SourcePath("models/emaki"), Placement());
  ASSERT_THAT(emaki, IsOk());
  v1::GenerateRequest request = Request();
  request.set_width(128);
  request.set_height(128);
  std::vector<genzo::Run> runs;
  runs.push_back(MakeRunOf(**emaki, request));
  FinishRuns(runs);
  const at::Tensor latents = runs[0].latent();
  const LatentCodec& codec = (*emaki)->codec();
  const at::Tensor linear = codec.Preview(latents, PreviewKind::kLinear);
  ASSERT_EQ(linear.sizes(), at::IntArrayRef({1, 3, 16, 16}));
  const at::Tensor full =
      at::adaptive_avg_pool2d(codec.Decode(latents), {16, 16});
  const double error = at::abs(linear - full).mean().item<double>();
  const double spread = at::abs(full - full.mean()).mean().item<double>();
  EXPECT_LT(error, 0.5 * spread);
}

class DefaultsTest : public ::testing::Test {
 protected:
  DefaultsTest() : model_(folder_.CopyTinyModel()) {}

  absl::StatusOr<PipelineDefaults> With(const std::string& json) {
    folder_.Write("model/genzo.json", json);
    const auto pipeline = LoadPipeline(model_, Placement());
    if (!pipeline.ok()) return pipeline.status();
    return (*pipeline)->traits().defaults;
  }

  const TestFolder folder_;
  const std::string model_;
};

TEST_F(DefaultsTest, AFileBesideTheIndexSetsThem) {
  const auto defaults = With(
      R"({"steps": 8, "guidance_scale": 1.5, "sampler": "dpmpp_2m",
          "schedule": "karras"})");
  ASSERT_THAT(defaults, IsOk());
  EXPECT_EQ(defaults->steps, 8);
  EXPECT_EQ(defaults->guidance_scale, 1.5);
  EXPECT_EQ(defaults->sampler, v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(defaults->schedule, SigmaSchedule::kKarras);
  EXPECT_EQ(
      With(R"({"sampler": "DPM++ 2M", "schedule": "SGM Uniform"})")->schedule,
      SigmaSchedule::kSgmUniform);
  EXPECT_EQ(With("{}")->steps, 25);
  EXPECT_EQ(With("{}")->guidance_scale, 7.5);
}

TEST_F(DefaultsTest, TheyMayChangeTheSchedule) {
  const auto read = [&](const std::string& json) {
    folder_.Write("model/genzo.json", json);
    const auto index = OpenModelIndex(model_);
    const auto scheduler = ReadScheduler(*index);
    EXPECT_THAT(scheduler, IsOk());
    return scheduler.ok() ? *scheduler : nlohmann::json();
  };
  const auto changed = read(
      R"({"prediction_type": "v_prediction", "rescale_betas_zero_snr": true,
          "timestep_spacing": "trailing"})");
  EXPECT_EQ(changed["prediction_type"], "v_prediction");
  EXPECT_EQ(changed["rescale_betas_zero_snr"], true);
  EXPECT_EQ(changed["timestep_spacing"], "trailing");
  EXPECT_THAT(With(R"({"prediction_type": "v_prediction", "steps": 4})"),
              IsOk());
  EXPECT_THAT(With(R"({"prediction_type": "noise"})"),
              StatusIs(absl::StatusCode::kUnimplemented, "prediction_type"));
}

// The way up is not one of every spacing that the way down has.
TEST_F(DefaultsTest, InversionIsOfferedWhereTheScheduleHasIt) {
  const auto inverts = [&](const std::string& json) {
    folder_.Write("model/genzo.json", json);
    const auto pipeline = LoadPipeline(model_, Placement());
    EXPECT_THAT(pipeline, IsOk());
    const auto& fields = (*pipeline)->traits().request_fields;
    return std::count(fields.begin(), fields.end(),
                      "image_to_image.inversion") > 0;
  };
  EXPECT_TRUE(inverts(R"({"timestep_spacing": "trailing"})"));
  EXPECT_FALSE(inverts(R"({"timestep_spacing": "linspace"})"));
}

TEST_F(DefaultsTest, BadValuesAreNamed) {
  EXPECT_THAT(With(R"({"steps": 0})"), StatusIs(kInvalid, "genzo.json: steps"));
  EXPECT_THAT(With(R"({"steps": 1001})"), StatusIs(kInvalid, "1001"));
  EXPECT_THAT(With(R"({"guidance_scale": -1})"),
              StatusIs(kInvalid, "guidance_scale"));
  EXPECT_THAT(With(R"({"sampler": "unheard"})"), StatusIs(kInvalid, "unheard"));
  EXPECT_THAT(With(R"({"sampler": "ddim", "schedule": "karras"})"),
              StatusIs(kInvalid, "karras"));
  EXPECT_THAT(With(R"({"stepss": 3})"), StatusIs(kInvalid, "stepss"));
  EXPECT_THAT(With("[]"), StatusIs(kInvalid, "genzo.json"));
}

TEST(PipelineTableTest, NamesTheClassesThatItKnows) {
  const TestFolder folder;
  folder.Write("model_index.json", R"({"_class_name": "UnheardOfPipeline"})");
  EXPECT_THAT(
      LoadPipeline(folder.path(), Placement()),
      StatusIs(absl::StatusCode::kUnimplemented,
               "UnheardOfPipeline is not one of StableDiffusionPipeline"));
  EXPECT_THAT(LoadPipeline("/nowhere", Placement()),
              StatusIs(absl::StatusCode::kNotFound, "/nowhere"));
}

TEST(PipelineTableTest, CountsTheBytesThatLoadingTakes) {
  const auto bytes = PipelineWeightBytes(TinyModelFolder(), Placement());
  ASSERT_THAT(bytes, IsOk());
  EXPECT_NEAR(static_cast<double>(bytes->all),
              static_cast<double>(TinyPipeline().weight_bytes()),
              0.02 * static_cast<double>(bytes->all));
}

// Its every job would fail.
TEST(StableDiffusionTest, ADepthModelMissesItsEstimatorBeforeItIsLoaded) {
  const TestFolder folder;
  const std::string model = folder.CopyTinyModel();
  EXPECT_THAT(PipelineWeightBytes(model, Placement()), IsOk());
  nlohmann::json config =
      nlohmann::json::parse(ReadFile(model + "/unet/config.json"));
  config["in_channels"] = 5;
  folder.Write("model/unet/config.json", config.dump());
  EXPECT_THAT(PipelineWeightBytes(model, Placement()),
              StatusIs(absl::StatusCode::kNotFound,
                       "component depth_estimator is missing"));
}

}  // namespace
}  // namespace genzo
