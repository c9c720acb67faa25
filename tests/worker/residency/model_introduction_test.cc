#include "worker/residency/model_introduction.h"

#include <filesystem>
#include <sstream>
#include <utility>

#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/model_fingerprint.h"
#include "c10/core/InferenceMode.h"
#include "queue/memory_job_queue.h"
#include "spdlog/sinks/ostream_sink.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_pipeline.h"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_control.h"
#include "tests/testing/tiny_sdxl.h"
#include "worker/kernels/row_bits.h"
#include "worker/text/embedding_folders.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kPixels = 64 * 64;

// The models of an engine that is played by hand.
class ModelIntroductionTest : public ::testing::Test {
 protected:
  ModelIntroductionTest() {
    config_.models = {{"a", TinyModelFolder()}, {"b", TinyModelFolder()}};
    config_.max_batch_rows = 4;
    config_.profile_folder = folder_.path();
    device_.memory_bytes = int64_t{1} << 30;
    Make();
  }

  void Make(const std::function<ModelSource(const Placement&)>& source =
                FolderSource) {
    EngineDependencies parts = {queue_,   load_,  catalog_,
                                metrics_, clock_, source};
    parts.embeddings = &embeddings_;
    parts.core_wait = core_wait_;
    models_ = std::make_unique<ModelIntroduction>(
        config_, device_, parts, /*on_unloaded=*/[] {},
        /*on_other_files=*/
        [this](const std::string& id, const ModelFiles& files) {
          others_[id] = files.path;
        });
  }
  v1::Model::State State(const std::string& id) const {
    return catalog_.Get(id)->state();
  }
  // Until the loading thread has something to adopt.
  void Await(const std::string& id) {
    models_->loader().Request(id);
    while (!models_->measuring() && models_->loader().AwaitChange()) {
      models_->Adopt(/*busy=*/true);
    }
  }
  int AdoptAll(bool busy) {
    int calls = 0;
    do {
      models_->Adopt(busy);
      ++calls;
    } while (models_->ready().count("a") == 0 && calls < 1000);
    return calls;
  }

  const c10::InferenceMode inference_;
  const TestFolder folder_;
  Config config_;
  EngineDevice device_;
  FakeClock clock_;
  std::function<absl::Duration()> core_wait_;
  Metrics metrics_;
  ModelCatalog catalog_{"a"};
  PoolLoad load_;
  MemoryJobQueue queue_{64, clock_, metrics_, load_};
  EmbeddingFolders embeddings_{{folder_.path() + "/words"}};
  std::map<std::string, std::string> others_;  // paths
  std::unique_ptr<ModelIntroduction> models_;
};

TEST_F(ModelIntroductionTest, AllModelsAreLoadingAtFirst) {
  EXPECT_EQ(State("a"), v1::Model::STATE_LOADING);
  EXPECT_EQ(State("b"), v1::Model::STATE_LOADING);
  EXPECT_THAT(models_->ready(), IsEmpty());
}

TEST_F(ModelIntroductionTest, LoadsAndTellsAllThatAreConfigured) {
  config_.models.push_back({"broken", "/nowhere"});
  Make();
  const std::atomic<bool> stopping{false};
  models_->LoadConfigured(stopping);
  EXPECT_THAT(models_->ready(), ElementsAre("a", "b"));
  EXPECT_EQ(State("a"), v1::Model::STATE_RESIDENT);
  EXPECT_EQ(State("broken"), v1::Model::STATE_FAILED);
  EXPECT_FALSE(models_->measuring());
  EXPECT_EQ(metrics_.ForModel("a").loaded.Value(), 1);
}

TEST_F(ModelIntroductionTest, AModelThatThrowsBeforeItIsMeasuredFailsAlone) {
  class Thrower : public FakePipeline {
   public:
    using FakePipeline::FakePipeline;
    PreparedRef PrepareEmpty() const override {
      throw std::runtime_error("no empty text");
    }
  };
  FakeBehaviour behaviour;
  config_.models = {{"a", "sound"}, {"b", "thrower"}};
  Make([&](const Placement&) {
    return ModelSource{
        .bytes = [](const ModelFiles&) { return int64_t{1}; },
        .load = [&](const ModelFiles& files) -> absl::StatusOr<ModelRef> {
          if (files.path == "thrower")
            return std::make_shared<Thrower>(behaviour);
          return std::make_shared<FakePipeline>(behaviour);
        }};
  });
  const std::atomic<bool> stopping{false};
  models_->LoadConfigured(stopping);
  EXPECT_EQ(State("a"), v1::Model::STATE_RESIDENT);
  EXPECT_EQ(State("b"), v1::Model::STATE_FAILED);
  EXPECT_THAT(catalog_.Get("b")->error().message(),
              ::testing::HasSubstr("no empty text"));
}

TEST_F(ModelIntroductionTest, LoadsNothingMoreOnceItIsToStop) {
  const std::atomic<bool> stopping{true};
  models_->LoadConfigured(stopping);
  EXPECT_THAT(models_->ready(), IsEmpty());
}

TEST_F(ModelIntroductionTest, MeasuresOneEvaluationBetweenTheStepsOfOthers) {
  Await("a");
  absl::Notification loaded;
  models_->loader().Load("a", std::nullopt,
                         [&](const absl::Status&) { loaded.Notify(); });
  models_->Adopt(/*busy=*/true);
  EXPECT_THAT(models_->ready(), IsEmpty());
  EXPECT_FALSE(loaded.HasBeenNotified());
  EXPECT_GT(AdoptAll(/*busy=*/true), 3);
  EXPECT_THAT(models_->ready(), ElementsAre("a"));
  EXPECT_TRUE(loaded.HasBeenNotified());
}

TEST_F(ModelIntroductionTest, ASoundProfileIsKeptThoughOthersRan) {
  Await("a");
  AdoptAll(/*busy=*/true);
  EXPECT_FALSE(models_->measuring()) << "nothing was left out";
  Make();
  Await("a");
  EXPECT_THAT(models_->ready(), ElementsAre("a"))
      << "the profile was read, not measured";
}

TEST_F(ModelIntroductionTest, WhatOtherProgramsDisturbedIsMeasuredAgainLater) {
  absl::Duration waited;
  core_wait_ = [&] { return waited += absl::Seconds(1); };
  Make();
  Await("a");
  // Among others, then alone.
  while (models_->measuring()) models_->Adopt(/*busy=*/false);
  EXPECT_THAT(models_->ready(), ElementsAre("a")) << "as well as can be";
  clock_.Advance(absl::Seconds(31));
  EXPECT_TRUE(models_->measuring());
  models_->Adopt(/*busy=*/true);
  EXPECT_TRUE(models_->measuring()) << "at leisure only";
  while (models_->measuring()) models_->Adopt(/*busy=*/false);
  clock_.Advance(absl::Seconds(31));
  EXPECT_FALSE(models_->measuring()) << "still disturbed: twice as late";
  clock_.Advance(absl::Seconds(31));
  EXPECT_TRUE(models_->measuring());
  core_wait_ = nullptr;
  Make();
  Await("a");
  models_->Adopt(/*busy=*/false);
  EXPECT_THAT(models_->ready(), IsEmpty()) << "nothing was kept";
}

TEST_F(ModelIntroductionTest, KeepsWhatJobsFoundOutAboutLayers) {
  Await("a");
  AdoptAll(/*busy=*/false);
  const LayerKey found = {-7, -7, -7};
  SetKeepsRowBits(found, true);
  models_->Adopt(/*busy=*/true);
  const auto kept = [&] {
    SetKeepsRowBits(found, false);
    StepProfile profile;
    ProfileStore(folder_.path())
        .Read("a", ProfileKey(TinyModelFolder(), Placement(), device_.threads),
              profile);
    return *KeepsRowBits(found);
  };
  EXPECT_FALSE(kept()) << "while others run";
  SetKeepsRowBits(found, true);
  models_->Adopt(/*busy=*/false);
  EXPECT_TRUE(kept());
}

TEST_F(ModelIntroductionTest, AModelThatIsToLeaveIsNotMeasuredToTheEnd) {
  Await("a");
  models_->Adopt(/*busy=*/true);
  absl::Notification unloaded;
  models_->loader().Unload("a",
                           [&](const absl::Status&) { unloaded.Notify(); });
  models_->Adopt(/*busy=*/true);
  unloaded.WaitForNotification();
  EXPECT_THAT(models_->ready(), IsEmpty());
}

TEST_F(ModelIntroductionTest, ReproducibleRowsDoNotDependOnOtherModels) {
  Await("a");
  AdoptAll(/*busy=*/false);
  const int alone = models_->ReproducibleRows("a", kPixels);
  const int64_t left = models_->loader().BytesLeft("a");
  Await("b");
  EXPECT_LT(models_->loader().BytesLeft("a"), left);
  EXPECT_EQ(models_->ReproducibleRows("a", kPixels), alone);
}

TEST_F(ModelIntroductionTest, AModelMayComeLater) {
  models_->Add({"late", TinyModelFolder()});
  models_->Add({"broken", "/nowhere"});
  while (models_->ready().count("late") == 0 ||
         State("broken") == v1::Model::STATE_LOADING) {
    models_->Adopt(/*busy=*/false);
    if (!models_->measuring()) models_->loader().AwaitChange();
  }
  EXPECT_EQ(models_->count(), 4u);
  EXPECT_EQ(State("late"), v1::Model::STATE_RESIDENT);
  EXPECT_EQ(State("broken"), v1::Model::STATE_FAILED);
  EXPECT_THAT(catalog_.Get("broken")->error().message(),
              ::testing::HasSubstr("/nowhere"));
}

TEST_F(ModelIntroductionTest, AModelWithoutRoomIsKnownAndComesWhenAskedFor) {
  config_.models.clear();
  const int64_t bytes =
      PipelineWeightBytes(TinyModelFolder(), Placement())->all;
  device_.memory_bytes = bytes * 3 / 2;
  Make();
  models_->Add({"x", TinyModelFolder()});
  models_->Add({"y", folder_.CopyTinyModel()});  // so it shares nothing
  const auto adopt = [&] {
    models_->Adopt(/*busy=*/false);
    if (!models_->measuring()) models_->loader().AwaitChange();
  };
  const auto told = [&](const std::string& id) {
    v1::Model model = *catalog_.Get(id);
    for (const char* own : {"id", "state", "weight_bytes", "fingerprint"}) {
      model.GetReflection()->ClearField(
          &model, model.GetDescriptor()->FindFieldByName(own));
    }
    return model.DebugString();
  };
  while (models_->ready().count("x") == 0 || !catalog_.Get("y")->has_limits()) {
    adopt();
  }
  EXPECT_EQ(State("y"), v1::Model::STATE_UNLOADED);
  EXPECT_EQ(told("y"), told("x"));
  EXPECT_EQ(State("x"), v1::Model::STATE_RESIDENT) << "it makes no room";
  models_->loader().Request("y");
  while (models_->ready().count("y") == 0) adopt();
  EXPECT_EQ(State("y"), v1::Model::STATE_RESIDENT);
  EXPECT_EQ(State("x"), v1::Model::STATE_UNLOADED);
}

// Of two devices, if the files were replaced between their loads.
TEST_F(ModelIntroductionTest, WarnsOfAnotherDeviceWithOtherFiles) {
  std::ostringstream log;
  const auto old = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  const auto loads_beside = [&](const std::string& fingerprint) {
    v1::Model other;
    other.set_id("a");
    other.set_state(v1::Model::STATE_RESIDENT);
    other.set_fingerprint(fingerprint);
    catalog_.Put(other, /*device=*/7);
    Make();
    Await("a");
    AdoptAll(/*busy=*/false);
    models_.reset();
    return std::exchange(log, std::ostringstream()).str();
  };
  const std::string same = ModelFingerprint(TinyModelFolder());
  EXPECT_THAT(loads_beside(same), Not(HasSubstr("of other files")));
  EXPECT_THAT(loads_beside("0123"),
              HasSubstr("model a on device 0 is of other files"));
  spdlog::set_default_logger(old);
}

// Though nobody has asked for it.
TEST_F(ModelIntroductionTest, ABrokenModelWithoutRoomFailsAtOnce) {
  const std::string broken = folder_.CopyTinyModel();
  const std::string name = "unet/diffusion_pytorch_model.safetensors";
  NamedTensors tensors = ReadTensors(broken + "/" + name);
  ASSERT_EQ(tensors.erase("conv_out.bias"), 1u);
  std::filesystem::remove(broken + "/" + name);
  folder_.Write("model/" + name, TensorsFile(tensors));
  config_.models.clear();
  device_.memory_bytes =
      PipelineWeightBytes(TinyModelFolder(), Placement())->all * 3 / 2;
  Make();
  models_->Add({"x", TinyModelFolder()});
  models_->Add({"broken", broken});
  while (models_->ready().count("x") == 0 ||
         State("broken") == v1::Model::STATE_LOADING) {
    models_->Adopt(/*busy=*/false);
    if (!models_->measuring()) models_->loader().AwaitChange();
  }
  EXPECT_EQ(State("broken"), v1::Model::STATE_FAILED);
  EXPECT_THAT(catalog_.Get("broken")->error().message(),
              ::testing::HasSubstr("conv_out.bias"));
  EXPECT_EQ(State("x"), v1::Model::STATE_RESIDENT);
}

TEST_F(ModelIntroductionTest, BrokenNewFilesAreToldWhileTheOldServeOn) {
  const std::atomic<bool> stopping{false};
  models_->LoadConfigured(stopping);
  models_->Add({"a", "/nowhere"});
  while (!catalog_.Get("a")->has_error()) {
    models_->loader().AwaitChange();
    models_->Adopt(/*busy=*/false);
  }
  EXPECT_EQ(State("a"), v1::Model::STATE_RESIDENT);
  EXPECT_NE(models_->loader().Hold("a"), nullptr);
  EXPECT_THAT(catalog_.Get("a")->error().message(),
              ::testing::HasSubstr("/nowhere"));
  EXPECT_EQ(others_.count("a"), 0u) << "nothing else was loaded";

  models_->Add({"a", TinyModelFolder()});
  models_->Adopt(/*busy=*/false);
  EXPECT_FALSE(catalog_.Get("a")->has_error()) << "named as it was";
}

TEST_F(ModelIntroductionTest, AModelThatIsGoneIsNotListed) {
  const std::atomic<bool> stopping{false};
  models_->LoadConfigured(stopping);
  const ModelRef held = models_->loader().Hold("b");
  models_->Remove("b");
  models_->Adopt(/*busy=*/true);
  EXPECT_EQ(ErrorReason(catalog_.Get("b").status()), "MODEL_NOT_FOUND");
  EXPECT_EQ(models_->count(), 1u);
  EXPECT_GE(models_->RowsThatFit("b", kPixels), 1) << "a job paints with it";
  models_->Add({"b", TinyModelFolder()});
  models_->Adopt(/*busy=*/true);
  EXPECT_THAT(catalog_.Get("b").status(), IsOk()) << "its files came back";
}

TEST_F(ModelIntroductionTest, TellsOfNetworksThatComeAndGo) {
  config_.controlnets = {folder_.path() + "/nets"};
  Make();
  const std::atomic<bool> stopping{false};
  models_->LoadConfigured(stopping);
  EXPECT_THAT(catalog_.Get("a")->controlnets(), IsEmpty());
  WriteTinyControl(folder_, "nets/canny");
  models_->LookBeside();
  models_->Adopt(/*busy=*/true);
  EXPECT_THAT(catalog_.Get("a")->controlnets(), ElementsAre("canny"));
  std::filesystem::remove_all(folder_.path() + "/nets/canny");
  models_->LookBeside();
  models_->Adopt(/*busy=*/true);
  EXPECT_THAT(catalog_.Get("a")->controlnets(), IsEmpty());
}

TEST_F(ModelIntroductionTest, TellsOfEmbeddingsThatComeAndGo) {
  const std::atomic<bool> stopping{false};
  models_->LoadConfigured(stopping);
  const int64_t width = models_->loader().Hold("a")->traits().text_widths[0];
  const std::string words = folder_.path() + "/words";
  const auto look = [&] {
    embeddings_.Look();
    models_->LookBeside();
    models_->Adopt(/*busy=*/true);
  };
  look();
  EXPECT_THAT(catalog_.Get("a")->embeddings(), IsEmpty());
  RandomTensors file;
  file.Add("<castle>", {2, width});
  file.Write(words, "castle.safetensors");
  look();
  ASSERT_EQ(catalog_.Get("a")->embeddings_size(), 1);
  EXPECT_EQ(catalog_.Get("a")->embeddings(0).name(), "<castle>");
  EXPECT_EQ(catalog_.Get("a")->embeddings(0).vectors(), 2u);
  std::filesystem::remove_all(words);
  look();
  EXPECT_THAT(catalog_.Get("a")->embeddings(), IsEmpty());
}

}  // namespace
}  // namespace genzo
