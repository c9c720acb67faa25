#include "worker/pipeline/stable_diffusion_xl.h"

#include <filesystem>
#include <random>

#include "ATen/ops/equal.h"
#include "ATen/ops/ones.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_sdxl.h"

namespace genzo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

// A base and its refiner, written once.
const std::string& TinySdxlFolder() {
  static const TestFolder folder;
  static const std::string path = WriteTinySdxl(folder, /*with_refiner=*/true);
  return path;
}

class StableDiffusionXLTest : public ::testing::Test {
 protected:
  static v1::GenerateRequest Request() {
    v1::GenerateRequest request;
    request.set_prompt("a sunset sea");
    request.set_guidance_scale(3);
    request.set_sampler(v1::SAMPLER_EULER);
    request.set_steps(5);
    request.set_seed(1);
    request.set_width(64);
    request.set_height(64);
    return request;
  }

  // What is prepared for the base.
  std::vector<at::Tensor> Prepared(const v1::GenerateRequest& request) const {
    TextCache texts(1 << 20);
    return (*model_->Encode({{.request = request}}, true, texts)[0])
        .prepared[0]
        ->tensors;
  }

  // Whether the rows' last tensor, the added embedding, is another one.
  bool ChangesEmbedding(const v1::GenerateRequest& request) const {
    return !at::equal(Prepared(request).back(), Prepared(Request()).back());
  }

  static const Pipeline& Model() {
    static const auto* const model =
        LoadPipeline(TinySdxlFolder(), Placement())->release();
    return *model;
  }

  const Pipeline* const model_ = &Model();
};

// As a single file has it, which has no room for a folder.
TEST_F(StableDiffusionXLTest, ARefinerMayLieElsewhere) {
  const TestFolder folder;
  ModelFiles files(WriteTinySdxl(folder));
  const auto alone = LoadPipeline(files, Placement());
  ASSERT_THAT(alone, IsOk());
  EXPECT_THAT((*alone)->traits().request_fields,
              Not(Contains("refiner.switch_at")));
  files.parts["refiner"] = TinySdxlFolder() + "/refiner";
  const auto refined = LoadPipeline(files, Placement());
  ASSERT_THAT(refined, IsOk());
  EXPECT_THAT((*refined)->traits().request_fields,
              Contains("refiner.switch_at"));
  files.parts["refiner"] = TinySdxlFolder();
  EXPECT_THAT(LoadPipeline(files, Placement()),
              StatusIs(absl::StatusCode::kInvalidArgument, "is no refiner"));
  ModelFiles other(TinyModelFolder());
  other.parts["refiner"] = TinySdxlFolder() + "/refiner";
  EXPECT_THAT(OpenModelIndex(other),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "parts.refiner is no component"));
}

// Whose timesteps are logarithms of sigmas, all below where a refiner begins.
TEST_F(StableDiffusionXLTest, ARefinerIsRefusedWhereTimestepsAreEdms) {
  for (const char* part : {"sdxl/", "sdxl/refiner/"}) {
    const TestFolder folder;
    const std::string model = WriteTinySdxl(folder, /*with_refiner=*/true);
    const std::string scheduler = absl::StrCat(part, "scheduler");
    std::filesystem::remove(absl::StrCat(folder.path(), "/", scheduler));
    folder.Write(absl::StrCat(scheduler, "/scheduler_config.json"),
                 R"({"_class_name": "EDMEulerScheduler"})");
    EXPECT_THAT(LoadPipeline(model, Placement()),
                StatusIs(kInvalid, "sdxl/refiner: a refiner takes over"))
        << part;
  }
}

TEST_F(StableDiffusionXLTest, TellsWhatItCanDo) {
  const PipelineTraits& traits = model_->traits();
  EXPECT_EQ(traits.family, "stable-diffusion-xl");
  EXPECT_THAT(traits.tasks,
              ElementsAre(v1::TASK_TEXT_TO_IMAGE, v1::TASK_IMAGE_TO_IMAGE,
                          v1::TASK_INPAINTING));
  EXPECT_THAT(traits.request_fields, Contains("prompt_2"));
  EXPECT_THAT(traits.request_fields, Contains("refiner.switch_at"));
  EXPECT_THAT(traits.request_fields, Not(Contains("image_guidance_scale")));
}

TEST_F(StableDiffusionXLTest, CountsTheBytesThatLoadingTakes) {
  const auto bytes = PipelineWeightBytes(TinySdxlFolder(), Placement());
  ASSERT_THAT(bytes, IsOk());
  EXPECT_NEAR(static_cast<double>(bytes->all),
              static_cast<double>(model_->weight_bytes()),
              0.02 * static_cast<double>(bytes->all));
}

TEST_F(StableDiffusionXLTest, TheSecondPromptIsThePromptUnlessGiven) {
  v1::GenerateRequest request = Request();
  request.set_prompt_2(request.prompt());
  EXPECT_FALSE(ChangesEmbedding(request));
  request.set_prompt_2("a fox");
  EXPECT_TRUE(ChangesEmbedding(request)) << "the pooled text is the second's";
}

TEST_F(StableDiffusionXLTest, TellsSizesAndCrops) {
  v1::GenerateRequest request = Request();
  auto& sizes = *request.mutable_size_conditioning();
  sizes.mutable_prompt()->set_original_width(64);
  EXPECT_FALSE(ChangesEmbedding(request)) << "the default";
  sizes.mutable_prompt()->set_original_width(512);
  EXPECT_TRUE(ChangesEmbedding(request));
  const at::Tensor same = Prepared(request).back();
  sizes.mutable_negative()->set_crop_left(8);
  const at::Tensor other = Prepared(request).back();
  EXPECT_FALSE(at::equal(same[0], other[0])) << "the negative prompt's row";
  EXPECT_THAT(same[1], TensorEquals(other[1]));
}

TEST_F(StableDiffusionXLTest, AnEmptyNegativePromptIsZeros) {
  const at::Tensor keys = Prepared(Request())[0];
  EXPECT_EQ(keys[0].abs().max().item<float>(), 0);
  v1::GenerateRequest request = Request();
  request.set_negative_prompt("people");
  EXPECT_GT(Prepared(request)[0][0].abs().max().item<float>(), 0);
}

TEST_F(StableDiffusionXLTest, TheRefinerTakesOverTheLastSteps) {
  v1::GenerateRequest request = Request();
  request.set_steps(10);
  request.mutable_refiner()->set_switch_at(0.7);
  genzo::Run run = MakeRunOf(*model_, request);
  EXPECT_EQ(run.progress().steps, 10);
  EXPECT_EQ(run.progress().evaluations, 10);
  const BatchKey base = run.key();
  PreparedJoiner joiner;
  for (int step = 1; step <= 10; ++step) {
    EXPECT_EQ(run.key() == base, step <= 7) << step;
    const auto prediction = Evaluate({&run}, joiner);
    ASSERT_THAT(prediction, IsOk());
    ASSERT_THAT(run.Take((*prediction)[0]), IsOk());
    EXPECT_EQ(run.progress().steps_done, step);
    EXPECT_TRUE(run.denoised().defined()) << "a preview may be due";
  }
  EXPECT_TRUE(run.finished());
}

// The refiner reads the prompt that its steps have, counted with the base's.
TEST_F(StableDiffusionXLTest, EditedPromptsAreThoseOfEachStep) {
  v1::GenerateRequest request = Request();
  request.set_steps(6);
  request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  request.mutable_refiner()->set_switch_at(0.5);
  std::vector<v1::GenerateRequest> parts(4, request);
  parts[0].set_prompt("fog");
  parts[1].set_prompt("sea");
  parts[2].set_prompt("sea");
  parts[3].set_prompt("ice");
  parts[0].set_prompt_2("ink");
  parts[1].set_prompt_2("ink");
  parts[2].set_prompt_2("oil");
  parts[3].set_prompt_2("oil");
  request.set_prompt("[fog:[sea:ice:5]:1]");
  request.set_prompt_2("[ink:oil:2]");
  std::vector<genzo::Run> edited;
  edited.push_back(MakeRunOf(*model_, request));
  FinishRuns(edited);
  EXPECT_THAT(edited[0].latent(),
              TensorEquals(SwitchedByHand(*model_, parts, {0, 1, 2, 2, 2, 3})));
}

TEST_F(StableDiffusionXLTest, APictureThatEntersLateIsTheRefinersAlone) {
  v1::GenerateRequest request = Request();
  request.set_steps(10);
  request.mutable_image_to_image()->set_strength(0.2);
  request.mutable_refiner()->set_switch_at(0.5);
  const BatchKey base = MakeRunOf(*model_, Request()).key();
  const genzo::Run run = MakeRunOf(*model_, request);
  EXPECT_NE(run.key().denoiser, base.denoiser);
  EXPECT_EQ(run.progress().steps_done, 8);
  EXPECT_EQ(run.progress().steps, 10);
}

// At the timestep, not at the step: base 999, 749.25 | refiner 399, 199.
TEST_F(StableDiffusionXLTest, TheRefinerWalksAsItsOwnFileSpacesIt) {
  const TestFolder folder;
  const std::string path = WriteTinySdxl(folder, /*with_refiner=*/true);
  std::filesystem::remove(path + "/refiner/scheduler");
  folder.Write("sdxl/refiner/scheduler/scheduler_config.json",
               R"({"_class_name": "EulerDiscreteScheduler",
                   "beta_start": 0.00085, "beta_end": 0.012,
                   "beta_schedule": "scaled_linear",
                   "timestep_spacing": "trailing"})");
  const auto model = LoadPipeline(path, Placement());
  ASSERT_THAT(model, IsOk());
  v1::GenerateRequest request = Request();
  request.mutable_refiner()->set_switch_at(0.5);
  const auto plan = [&] {
    TextCache texts(1 << 20);
    EncodeTask task = {.request = request};
    if (request.has_image_to_image()) task.picture = at::ones({1, 3, 64, 64});
    const auto encoded = (*model)->Encode({task}, /*together=*/true, texts);
    return *(*model)->Plan(
        {.request = request, .noise = std::make_shared<SeededNoise>(1)},
        *encoded[0]);
  };
  const std::vector<Stage> both = plan();
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].sampler->progress().evaluations, 2);
  EXPECT_EQ(both[1].sampler->progress().evaluations, 2);
  EXPECT_NEAR(both[1].sampler->Next()->timestep, 399, 1e-2);
  // Base 999, 0; the refiner's 999, 499 are all before it takes over.
  request.set_steps(2);
  request.mutable_refiner()->set_switch_at(0.8);
  const std::vector<Stage> nothing_left = plan();
  ASSERT_EQ(nothing_left.size(), 1u);
  EXPECT_EQ(nothing_left[0].sampler->progress().evaluations, 2);
  request.mutable_refiner()->set_switch_at(0.5);
  request.set_steps(10);
  request.mutable_image_to_image()->set_strength(0.2);
  const std::vector<Stage> alone = plan();
  ASSERT_EQ(alone.size(), 1u);
  EXPECT_NEAR(alone[0].sampler->Next()->timestep, 199, 1e-2);
}

TEST_F(StableDiffusionXLTest, AestheticScoresReachTheRefiner) {
  v1::GenerateRequest request = Request();
  request.mutable_refiner()->set_switch_at(0.5);
  TextCache texts(1 << 20);
  const auto embedding = [&] {
    return (*model_->Encode({{.request = request}}, true, texts)[0])
        .prepared[1]
        ->tensors.back();
  };
  const at::Tensor before = embedding();
  request.mutable_refiner()->set_aesthetic_score(9);
  const at::Tensor after = embedding();
  EXPECT_THAT(before[0], TensorEquals(after[0]));
  EXPECT_FALSE(at::equal(before[1], after[1]));
}

// Design, section 5: prompts, sizes, samplers, steps, guidance, pictures and
// refiners differ, whatever may share an evaluation does.
TEST_F(StableDiffusionXLTest, MixedRunsEqualTheirSoloRuns) {
  std::mt19937_64 random(1);
  const auto choose = [&](auto values) {
    return values[random() % values.size()];
  };
  std::vector<v1::GenerateRequest> requests;
  for (int i = 0; i < 16; ++i) {
    v1::GenerateRequest& request = requests.emplace_back(Request());
    request.set_prompt(choose(std::vector<std::string>{"a fox", "", "fog"}));
    request.set_prompt_2(choose(std::vector<std::string>{"", "a red ship"}));
    request.set_seed(i);
    request.set_steps(2 + random() % 5);
    request.set_width(choose(std::vector<uint32_t>{64, 64, 72}));
    request.set_guidance_scale(choose(std::vector<double>{1, 3, 7.5}));
    request.set_sampler(choose(std::vector<v1::Sampler>{
        v1::SAMPLER_DDIM, v1::SAMPLER_EULER, v1::SAMPLER_EULER_ANCESTRAL,
        v1::SAMPLER_DPMPP_2M, v1::SAMPLER_PNDM}));
    if (random() % 3 == 0) {
      request.mutable_image_to_image()->set_strength(0.6);
    }
    if (random() % 3 == 0) request.mutable_refiner()->set_switch_at(0.5);
  }
  std::vector<genzo::Run> runs;
  for (const auto& request : requests) {
    runs.push_back(MakeRunOf(*model_, request));
  }
  PreparedJoiner joiner;
  int largest = 0;  // batch
  while (true) {
    std::map<BatchKey, std::vector<genzo::Run*>> batches;
    for (genzo::Run& run : runs) {
      if (!run.finished()) batches[run.key()].push_back(&run);
    }
    if (batches.empty()) break;
    for (const auto& [key, batch] : batches) {
      largest = std::max(largest, static_cast<int>(batch.size()));
      const auto predictions = Evaluate(batch, joiner);
      ASSERT_THAT(predictions, IsOk());
      for (size_t i = 0; i < batch.size(); ++i) {
        ASSERT_THAT(batch[i]->Take((*predictions)[i]), IsOk());
      }
    }
  }
  EXPECT_GT(largest, 3);
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(MakeRunOf(*model_, requests[i]));
    FinishRuns(alone);
    EXPECT_THAT(runs[i].latent(), TensorEquals(alone[0].latent()))
        << requests[i].ShortDebugString();
  }
}

TEST(StableDiffusionXLFilesTest, NamesWhatDoesNotFit) {
  const TestFolder folder;
  const std::string model = WriteTinySdxl(folder);
  const std::string config = model + "/unet/config.json";
  auto json = nlohmann::json::parse(ReadFile(config));
  json["projection_class_embeddings_input_dim"] = 28;
  folder.Write("sdxl/unet/config.json", json.dump());
  EXPECT_THAT(LoadPipeline(model, Placement()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "projection_class_embeddings_input_dim 28 is not 32"));
}

}  // namespace
}  // namespace genzo
