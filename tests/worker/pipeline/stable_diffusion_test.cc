#include "worker/pipeline/stable_diffusion.h"

#include <filesystem>
#include <fstream>

#include "ATen/Parallel.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/adaptive_avg_pool2d.h"
#include "ATen/ops/cat.h"
#include "ATen/record_function.h"
#include "absl/strings/match.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/device/device_names.h"
#include "worker/device/thread_count.h"
#include "worker/engine/evaluate.h"
#include "worker/pipeline/text_cache.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

const DiffusionModel& TinyModel() {
  static const DiffusionModel* const model =
      DiffusionModel::Load(TinyModelFolder(), Placement())->release();
  return *model;
}

std::shared_ptr<const TextContext> ContextOf(const DiffusionModel& model,
                                             const std::string& prompt,
                                             const std::string& negative_prompt,
                                             bool guided) {
  TextCache texts(/*max_bytes=*/1 << 20);
  return std::make_shared<TextContext>(model.ProjectContext(
      at::cat(texts.Encode(model, PromptTexts(prompt, negative_prompt, guided,
                                              /*clip_skip=*/0)))));
}

Run MakeRun(const std::string& prompt, double guidance, SamplerId sampler,
            int steps, uint64_t seed) {
  auto noise = std::make_shared<SeededNoise>(seed);
  Run run{.model = &TinyModel(),
          .sampler = *CreateSampler(
              sampler, TinyModel().scheduler(), {.steps = steps},
              {.noise = noise->Draw({1, 4, 8, 8}), .source = noise}),
          .context = {},
          .guidance = {.scale = guidance}};
  run.context = ContextOf(TinyModel(), prompt, "blurry", run.guidance.active());
  return run;
}

// Steps all runs together until each is done, as the engine does.
void Finish(std::vector<genzo::Run>& runs) {
  ContextGatherer gatherer;
  while (true) {
    std::vector<Run*> live;
    for (Run& run : runs) {
      if (run.sampler->Next().has_value()) live.push_back(&run);
    }
    if (live.empty()) return;
    const auto predictions = Evaluate(live, gatherer);
    ASSERT_THAT(predictions, IsOk());
    for (size_t i = 0; i < live.size(); ++i) {
      live[i]->sampler->Advance((*predictions)[i]);
    }
  }
}

std::vector<genzo::Run> MixedRuns() {
  using Request = v1::GenerateRequest;
  std::vector<genzo::Run> runs;
  runs.push_back(MakeRun("a fox", 7.5, Request::SAMPLER_DDIM, 6, 1));
  runs.push_back(MakeRun("a cat", 1.0, Request::SAMPLER_EULER, 4, 2));
  runs.push_back(MakeRun("fog", 3.0, Request::SAMPLER_EULER_ANCESTRAL, 5, 3));
  runs.push_back(MakeRun("", 9.0, Request::SAMPLER_DPMPP_2M_KARRAS, 7, 4));
  runs.push_back(MakeRun("a fox", 7.5, Request::SAMPLER_PNDM, 3, 5));
  return runs;
}

TEST(EvaluateTest, ABatchedRunEqualsTheSameRunAlone) {
  std::vector<genzo::Run> together = MixedRuns();
  Finish(together);
  for (size_t i = 0; i < together.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(std::move(MixedRuns()[i]));
    Finish(alone);
    EXPECT_THAT(together[i].sampler->latent(),
                TensorEquals(alone[0].sampler->latent()))
        << i;
  }
}

TEST(EvaluateTest, TheSameSeedGivesTheSameLatents) {
  std::vector<genzo::Run> first = MixedRuns();
  std::vector<genzo::Run> second = MixedRuns();
  Finish(first);
  Finish(second);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_THAT(first[i].sampler->latent(),
                TensorEquals(second[i].sampler->latent()));
  }
}

TEST(EvaluateTest, RowsThatFillUpChangeNothing) {
  for (const double guidance : {1.0, 7.5}) {
    genzo::Run run =
        MakeRun("a fox", guidance, v1::GenerateRequest::SAMPLER_DDIM, 4, 1);
    ContextGatherer gatherer;
    const auto alone = Evaluate({&run}, gatherer);
    const auto padded = Evaluate({&run}, gatherer, /*least_rows=*/5);
    ASSERT_THAT(padded, IsOk());
    ASSERT_EQ(padded->size(), 1u);
    EXPECT_THAT((*padded)[0], TensorEquals((*alone)[0]));
    const int rows = run.rows();
    EXPECT_EQ((*gatherer.Gather({run.context}, 5))[0].k.size(0), 5);
    EXPECT_EQ((*gatherer.Gather({run.context}))[0].k.size(0), rows);
    EXPECT_EQ((*gatherer.Gather({run.context, run.context}))[0].k.size(0),
              2 * rows);
  }
}

// The operators that this thread calls while the observer lives, and on how
// many threads each may compute.
class OperatorObserver {
 public:
  struct Seen {
    std::string name;
    int threads;
  };

  OperatorObserver()
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(
            [](const at::RecordFunction& function)
                -> std::unique_ptr<at::ObserverContext> {
              seen_.push_back({function.name(), at::get_num_threads()});
              return nullptr;
            }))) {
    seen_.clear();
  }
  ~OperatorObserver() { at::removeCallback(handle_); }

  const std::vector<Seen>& seen() const { return seen_; }

 private:
  static thread_local std::vector<Seen> seen_;
  const at::CallbackHandle handle_;
};

thread_local std::vector<OperatorObserver::Seen> OperatorObserver::seen_;

TEST(EvaluateTest, OnlyTheDenoiserComputesOnAsManyThreadsAsAsked) {
  genzo::Run run =
      MakeRun("a fox", 7.5, v1::GenerateRequest::SAMPLER_DDIM, 4, 1);
  ContextGatherer gatherer;
  ASSERT_THAT(Evaluate({&run}, gatherer), IsOk());  // fills the timestep table
  const ScopedThreads own(3);
  const OperatorObserver observer;
  ASSERT_THAT(Evaluate({&run}, gatherer, /*least_rows=*/0, /*threads=*/2),
              IsOk());
  int convolutions = 0;
  for (const auto& [name, threads] : observer.seen()) {
    if (!absl::StrContains(name, "conv")) continue;
    ++convolutions;
    EXPECT_EQ(threads, 2) << name;
  }
  EXPECT_GT(convolutions, 10);
  EXPECT_EQ(observer.seen().back().threads, 3) << "guidance";
  EXPECT_EQ(at::get_num_threads(), 3);
}

TEST(EvaluateTest, ExceptionsBecomeStatuses) {
  std::vector<genzo::Run> runs = MixedRuns();
  TextContext broken = *runs[0].context;
  broken[0].k = broken[0].k.narrow(2, 0, 4);
  runs[0].context = std::make_shared<TextContext>(broken);
  ContextGatherer gatherer;
  EXPECT_THAT(Evaluate({&runs[0]}, gatherer),
              StatusIs(absl::StatusCode::kInternal, "evaluation failed"));
}

// A random autoencoder has no colours to speak of, so this takes the model in
// the box.
TEST(DiffusionModelTest, LinearPreviewsHaveThePicturesColours) {
  const auto emaki =
      DiffusionModel::Load(SourcePath("models/emaki"), Placement());
  ASSERT_THAT(emaki, IsOk());
  std::vector<genzo::Run> runs;
  auto noise = std::make_shared<SeededNoise>(1);
  runs.push_back(
      {.model = emaki->get(),
       .sampler = *CreateSampler(
           v1::GenerateRequest::SAMPLER_DDIM, (*emaki)->scheduler(),
           {.steps = 4},
           {.noise = noise->Draw({1, (*emaki)->latent_channels(), 16, 16}),
            .source = noise}),
       .context = ContextOf(**emaki, "a sunset sea", "", /*guided=*/true),
       .guidance = {.scale = 3}});
  Finish(runs);
  const at::Tensor latents = runs[0].sampler->latent();
  const at::Tensor linear = (*emaki)->decoder().Linear(latents);
  ASSERT_EQ(linear.sizes(), at::IntArrayRef({1, 3, 16, 16}));
  const at::Tensor full =
      at::adaptive_avg_pool2d((*emaki)->decoder().Full(latents), {16, 16});
  const double error = at::abs(linear - full).mean().item<double>();
  const double spread = at::abs(full - full.mean()).mean().item<double>();
  EXPECT_LT(error, 0.5 * spread);
}

class BrokenModelTest : public ::testing::Test {
 protected:
  BrokenModelTest() : model_(folder_.CopyTinyModel()) {}

  absl::Status Load() const {
    return DiffusionModel::Load(model_, Placement()).status();
  }

  void Replace(const std::string& file, const std::string& from,
               const std::string& to) const {
    std::string text = ReadFile(model_ + "/" + file);
    const size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos);
    text.replace(place, from.size(), to);
    fs::permissions(model_ + "/" + file, fs::perms::owner_all);
    std::ofstream(model_ + "/" + file) << text;
  }

  const TestFolder folder_;
  const std::string model_;
};

constexpr char kUnet[] = "/unet/diffusion_pytorch_model.safetensors";

TEST_F(BrokenModelTest, TheCopyIsSound) { EXPECT_THAT(Load(), IsOk()); }

TEST_F(BrokenModelTest, ATruncatedFileIsNamed) {
  fs::resize_file(model_ + kUnet, 100000);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, kUnet));
}

TEST_F(BrokenModelTest, AnEmptyFileIsNamed) {
  fs::resize_file(model_ + kUnet, 0);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument, kUnet));
}

TEST_F(BrokenModelTest, AMissingComponentIsNamed) {
  fs::remove_all(model_ + "/vae");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, "/vae"));
}

TEST_F(BrokenModelTest, AMissingFileIsNamed) {
  fs::remove(model_ + "/text_encoder/model.safetensors");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound, "text_encoder"));
}

TEST_F(BrokenModelTest, ATensorOfTheWrongShapeIsNamed) {
  Replace("unet/config.json", "\"cross_attention_dim\": 8",
          "\"cross_attention_dim\": 10");
  Replace("text_encoder/config.json", "\"hidden_size\": 8",
          "\"hidden_size\": 10");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "/text_encoder/model.safetensors: tensor "
                       "\"text_model.embeddings.token_embedding.weight\" has "
                       "shape [49408, 8]"));
}

TEST_F(BrokenModelTest, AWrongWidthNamesTheTensor) {
  Replace("vae/config.json", "\"latent_channels\": 4",
          "\"latent_channels\": 8");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "/vae/diffusion_pytorch_model.safetensors: tensor "
                       "\"encoder.conv_out.weight\" has shape"));
}

TEST_F(BrokenModelTest, AnotherNumberOfColoursIsNotSupported) {
  Replace("vae/config.json", "\"out_channels\": 3", "\"out_channels\": 1");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kUnimplemented,
                               "vae/config.json: out_channels 1"));
}

TEST_F(BrokenModelTest, AFolderInPlaceOfAFileIsNamed) {
  fs::remove(model_ + "/tokenizer/vocab.json");
  fs::create_directory(model_ + "/tokenizer/vocab.json");
  const absl::Status status = Load();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("tokenizer/vocab.json"),
            std::string::npos)
      << status;
}

TEST_F(BrokenModelTest, AbsurdLayerCountsAreRefused) {
  Replace("text_encoder/config.json", "\"num_hidden_layers\": 3",
          "\"num_hidden_layers\": 2000000000");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "num_hidden_layers 2000000000"));
}

TEST_F(BrokenModelTest, AnEmptySpecialTokenIsRefused) {
  Replace("tokenizer/special_tokens_map.json", "<|startoftext|>", "");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "special token \"\""));
}

TEST_F(BrokenModelTest, AnotherPipelineIsNotSupported) {
  Replace("model_index.json", "StableDiffusionPipeline", "OtherPipeline");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kUnimplemented, "OtherPipeline"));
}

TEST_F(BrokenModelTest, AnotherSchedulerIsNotSupported) {
  Replace("scheduler/scheduler_config.json", "PNDMScheduler", "Unheard");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kUnimplemented, "Unheard"));
}

TEST_F(BrokenModelTest, GarbageInAConfigurationIsNamed) {
  Replace("vae/config.json", "{", "[");
  EXPECT_THAT(Load(),
              StatusIs(absl::StatusCode::kInvalidArgument, "vae/config.json"));
}

TEST(DeviceTest, KnowsTheCpu) {
  EXPECT_THAT(*ResolveDevices({"cpu", "cpu:2"}),
              ::testing::ElementsAre(c10::kCPU, c10::kCPU, c10::kCPU));
  EXPECT_THAT(ResolveDevices({"auto"}), IsOk());
  EXPECT_THAT(ResolveDevices({"cpu", "cuda:99"}),
              StatusIs(absl::StatusCode::kUnavailable, "cuda:99"));
  EXPECT_GT(DeviceMemoryBytes(c10::kCPU), 0);
}

TEST(DeviceTest, KnowsTypesByName) {
  for (const char* name : {"float32", "bfloat16", "float16"}) {
    EXPECT_EQ(DtypeName(*ParseDtype(name, c10::kCPU)), name);
  }
  EXPECT_THAT(ParseDtype("auto", c10::kCPU), IsOk());
  EXPECT_THAT(ParseDtype("int8", c10::kCPU),
              StatusIs(absl::StatusCode::kInvalidArgument, "int8"));
}

}  // namespace
}  // namespace genzo
