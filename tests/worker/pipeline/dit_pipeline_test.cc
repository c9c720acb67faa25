#include "worker/pipeline/dit_pipeline.h"

#include <filesystem>

#include "base/errors.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

constexpr int64_t kClasses = 5;

class DitPipelineTest : public ::testing::Test {
 protected:
  // A random network with the autoencoder of the tiny model.
  DitPipelineTest() {
    RandomDit(/*layers=*/2, /*width=*/16, kClasses)
        .Write(folder_.path() + "/transformer",
               "diffusion_pytorch_model.safetensors");
    std::filesystem::create_directory_symlink(TinyModelFolder() + "/vae",
                                              folder_.path() + "/vae");
    folder_.Write("model_index.json", R"({
        "_class_name": "DiTPipeline",
        "id2label": {"1": "goldfish, Carassius auratus", "4": "hen"},
        "scheduler": ["diffusers", "DDIMScheduler"],
        "transformer": ["diffusers", "DiTTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"]})");
    folder_.Write("transformer/config.json", R"({
        "norm_type": "ada_norm_zero", "activation_fn": "gelu-approximate",
        "norm_elementwise_affine": false, "in_channels": 4, "out_channels": 8,
        "sample_size": 8, "num_layers": 2, "num_embeds_ada_norm": 5,
        "num_attention_heads": 2, "attention_head_dim": 8})");
    folder_.Write("scheduler/scheduler_config.json",
                  R"({"_class_name": "DDIMScheduler", "clip_sample": false})");
    auto loaded = LoadPipeline(folder_.path(), Placement());
    EXPECT_THAT(loaded, IsOk());
    model_ = *std::move(loaded);
  }

  static v1::GenerateRequest Request() {
    v1::GenerateRequest request;
    request.set_guidance_scale(4);
    request.set_sampler(v1::SAMPLER_DDIM);
    request.set_steps(3);
    request.set_width(64);
    request.set_height(64);
    return request;
  }

  absl::StatusOr<at::Tensor> PreparedOf(
      const v1::GenerateRequest& request) const {
    TextCache texts(1 << 20);
    const auto encoded =
        model_->Encode({{.request = request}}, /*together=*/true, texts)[0];
    if (!encoded.ok()) return encoded.status();
    return encoded->prepared[0]->tensors[0];
  }

  const TestFolder folder_;
  std::unique_ptr<const Pipeline> model_;
};

TEST_F(DitPipelineTest, TellsWhatItCanDo) {
  const PipelineTraits& traits = model_->traits();
  EXPECT_EQ(traits.family, "dit");
  EXPECT_THAT(traits.tasks, ::testing::ElementsAre(v1::TASK_TEXT_TO_IMAGE));
  EXPECT_THAT(traits.request_fields, ::testing::ElementsAre("class_label"));
  EXPECT_EQ(traits.default_width, 64);
  EXPECT_EQ(PipelineWeightBytes(folder_.path(), Placement())->all,
            model_->weight_bytes());
}

// Under either name of the class.
TEST_F(DitPipelineTest, NamesTheOptionThatItDoesNotHave) {
  const std::string index = folder_.path() + "/model_index.json";
  auto config = nlohmann::json::parse(
      ReadFile(folder_.path() + "/transformer/config.json"));
  config["norm_type"] = "layer_norm";
  folder_.Write("transformer/config.json", config.dump());
  for (const char* name : {"DiTTransformer2DModel", "Transformer2DModel"}) {
    auto json = nlohmann::json::parse(ReadFile(index));
    json["transformer"][1] = name;
    folder_.Write("model_index.json", json.dump());
    EXPECT_THAT(LoadPipeline(folder_.path(), Placement()).status(),
                StatusIs(absl::StatusCode::kUnimplemented, "norm_type"));
  }
}

TEST_F(DitPipelineTest, AClassHasANumberAndNames) {
  v1::GenerateRequest request = Request();
  request.set_class_label(1);
  const auto by_number = PreparedOf(request);
  ASSERT_THAT(by_number, IsOk());
  ASSERT_EQ(by_number->size(0), 2);
  request.clear_class_label();
  for (const char* name : {"goldfish", " Carassius auratus "}) {
    request.set_prompt(name);
    EXPECT_THAT(*PreparedOf(request), TensorEquals(*by_number));
  }
  request.set_prompt("");
  const auto none = PreparedOf(request);
  EXPECT_THAT((*none)[0], TensorEquals((*none)[1]));
  EXPECT_THAT((*none)[0], TensorEquals((*by_number)[0]));
  request.set_guidance_scale(1);
  EXPECT_EQ(PreparedOf(request)->size(0), 1);
}

TEST_F(DitPipelineTest, NamesAClassThatItDoesNotKnow) {
  v1::GenerateRequest request = Request();
  request.set_class_label(5);
  EXPECT_THAT(PreparedOf(request).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "class_label 5 is not below 5"));
  request.clear_class_label();
  request.set_prompt("fish");
  EXPECT_EQ(ErrorReason(PreparedOf(request).status()), "INVALID_FIELD");
}

TEST_F(DitPipelineTest, ARunInAMixedBatchHasTheBitsOfOneAlone) {
  std::vector<v1::GenerateRequest> requests(3, Request());
  requests[0].set_class_label(2);
  requests[1].set_guidance_scale(1);
  requests[1].set_steps(5);
  requests[2].set_class_label(4);
  requests[2].set_sampler(v1::SAMPLER_EULER);
  std::vector<genzo::Run> together;
  for (const auto& request : requests) {
    together.push_back(MakeRunOf(*model_, request));
  }
  FinishRuns(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(MakeRunOf(*model_, requests[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent())) << i;
  }
}

}  // namespace
}  // namespace genzo
