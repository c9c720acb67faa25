#include "worker/residency/model_loader.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <new>
#include <random>
#include <stdexcept>

#include "ATen/ops/zeros.h"
#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kBytes = 40;

// A source whose models are one that was loaded before, counted. What a folder
// is called says what becomes of it.
class FakeSource {
 public:
  FakeSource() : real_(*LoadPipeline(TinyModelFolder(), Placement())) {}

  ModelSource source() {
    return {
        .bytes = [](const ModelFiles& files) -> absl::StatusOr<int64_t> {
          if (files.path == "/throws-early") throw std::bad_alloc();
          return kBytes;
        },
        .load = [this](const ModelFiles& files) { return Load(files.path); }};
  }

  int alive() const { return alive_; }
  // Every load waits until Open().
  void Close() { gate_ = std::make_unique<absl::Notification>(); }
  void AwaitLoad() { began_.WaitForNotification(); }
  void Open() { gate_->Notify(); }

 private:
  absl::StatusOr<ModelRef> Load(const std::string& folder) {
    if (folder == "/throws") throw std::runtime_error("a sticky error");
    if (folder == "/throws-odd") throw 42;
    if (folder == "/fails") return absl::DataLossError("it is torn");
    if (gate_ != nullptr) {
      if (!began_.HasBeenNotified()) began_.Notify();
      gate_->WaitForNotification();
    }
    ++alive_;
    return ModelRef(real_.get(), [this](const LoadedModel*) { --alive_; });
  }

  const ModelRef real_;
  std::atomic<int> alive_{0};
  absl::Notification began_;
  std::unique_ptr<absl::Notification> gate_;
};

// What a Load() or Unload() hears.
class Answer {
 public:
  ModelControl::Done Into() {
    return [this](const absl::Status& status) {
      status_ = status;
      done_.Notify();
    };
  }
  const absl::Status& Wait() const {
    done_.WaitForNotification();
    return status_;
  }
  bool Heard() const { return done_.HasBeenNotified(); }

 private:
  absl::Status status_;
  absl::Notification done_;
};

class ModelLoaderTest : public ::testing::Test {
 protected:
  ~ModelLoaderTest() override { StopEngine(); }

  void Make(const std::vector<std::string>& folders, int64_t budget_bytes) {
    Config config;
    for (const std::string& folder : folders) {
      config.models.push_back({folder.substr(1), folder});
    }
    loader_ = std::make_unique<ModelLoader>(
        config, Placement(), budget_bytes, source_.source(), clock_, metrics_,
        ModelLoaderListener{.unloaded = [] {}, .changed = [] {}});
  }

  // What engines do with what has come, without measuring.
  void Adopt() {
    for (const auto& loaded : loader_->TakeLoaded()) {
      loader_->Ready(loaded.id, 0);
    }
  }
  void StartEngine() {
    engine_ = std::thread([this] {
      while (!stopping_) {
        loader_->AwaitChange();
        Adopt();
      }
    });
  }
  void StopEngine() {
    stopping_ = true;
    if (loader_ != nullptr) loader_->Stop();
    if (engine_.joinable()) engine_.join();
  }

  absl::Status Load(const std::string& id) {
    Answer answer;
    loader_->Load(id, std::nullopt, answer.Into());
    while (loader_->AwaitChange()) Adopt();
    return answer.Wait();
  }

  FakeSource source_;
  FakeClock clock_;
  Metrics metrics_;
  std::unique_ptr<ModelLoader> loader_;
  std::atomic<bool> stopping_{false};
  std::thread engine_;
};

TEST_F(ModelLoaderTest, LoadsAndHolds) {
  Make({"/a"}, 100);
  EXPECT_EQ(loader_->Hold("a"), nullptr);
  EXPECT_THAT(Load("a"), IsOk());
  EXPECT_NE(loader_->Hold("a"), nullptr);
  EXPECT_THAT(loader_->ReadyIds(), ElementsAre("a"));
  EXPECT_THAT(Load("a"), IsOk()) << "again";
  EXPECT_EQ(source_.alive(), 1);
}

TEST_F(ModelLoaderTest, WhateverIsThrownFailsThatModelAlone) {
  Make({"/throws", "/throws-early", "/throws-odd", "/fails", "/a"}, 100);
  EXPECT_THAT(Load("throws"), StatusIs(absl::StatusCode::kFailedPrecondition,
                                       "/throws: a sticky error"));
  EXPECT_THAT(Load("throws-early"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "out of memory"));
  EXPECT_THAT(Load("throws-odd"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "/throws-odd"));
  EXPECT_THAT(Load("fails"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "it is torn"));
  EXPECT_EQ(ErrorReason(loader_->Failure("fails")), "MODEL_FAILED");
  EXPECT_THAT(Load("a"), IsOk()) << "the thread goes on";
}

TEST_F(ModelLoaderTest, AModelThatMustGoIsFreedBeforeTheNextIsLoaded) {
  Make({"/a", "/b"}, kBytes);
  EXPECT_THAT(Load("a"), IsOk());
  EXPECT_THAT(Load("b"), IsOk());
  EXPECT_THAT(loader_->ReadyIds(), ElementsAre("b"));
  EXPECT_EQ(source_.alive(), 1);
}

TEST_F(ModelLoaderTest, AModelLeavesOnlyWhenNobodyHoldsIt) {
  Make({"/a"}, 100);
  EXPECT_THAT(Load("a"), IsOk());
  ModelRef held = loader_->Hold("a");
  Answer unload;
  loader_->Unload("a", unload.Into());
  EXPECT_EQ(loader_->Hold("a"), nullptr);
  EXPECT_FALSE(unload.Heard());
  EXPECT_EQ(source_.alive(), 1);
  held.reset();
  EXPECT_THAT(unload.Wait(), IsOk());
  EXPECT_EQ(source_.alive(), 0);
}

TEST_F(ModelLoaderTest, ALoadGoesOnBesideAModelThatTakesItsTimeToLeave) {
  Make({"/a", "/b"}, 100);
  EXPECT_THAT(Load("a"), IsOk());
  ModelRef held = loader_->Hold("a");
  Answer unload;
  loader_->Unload("a", unload.Into());
  StartEngine();
  Answer load;
  loader_->Load("b", std::nullopt, load.Into());
  EXPECT_THAT(load.Wait(), IsOk());
  EXPECT_FALSE(unload.Heard());
  held.reset();
  EXPECT_THAT(unload.Wait(), IsOk());
}

TEST_F(ModelLoaderTest, WhatWaitsIsAnsweredWhenItStops) {
  source_.Close();
  Make({"/a", "/b"}, 100);
  Answer under_way;
  Answer waiting;
  loader_->Load("a", std::nullopt, under_way.Into());
  source_.AwaitLoad();
  loader_->Load("b", std::nullopt, waiting.Into());
  loader_->Stop();
  EXPECT_EQ(ErrorReason(under_way.Wait()), "DRAINING");
  EXPECT_EQ(ErrorReason(waiting.Wait()), "DRAINING");
  Answer late;
  loader_->Load("b", std::nullopt, late.Into());
  EXPECT_EQ(ErrorReason(late.Wait()), "DRAINING");
  source_.Open();
  loader_.reset();
  EXPECT_EQ(source_.alive(), 0) << "what came too late is freed";
}

TEST_F(ModelLoaderTest, AnUnloadDuringALoadAnswersBoth) {
  source_.Close();
  Make({"/a"}, 100);
  Answer load;
  Answer unload;
  loader_->Load("a", std::nullopt, load.Into());
  source_.AwaitLoad();
  loader_->Unload("a", unload.Into());
  EXPECT_EQ(ErrorReason(load.Wait()), "UNLOADED");
  source_.Open();
  EXPECT_THAT(unload.Wait(), IsOk());
  EXPECT_EQ(source_.alive(), 0);
}

// Two callers against an engine that measures: nobody waits for ever.
TEST_F(ModelLoaderTest, LoadsAndUnloadsInAStormAreAllAnswered) {
  Make({"/a", "/b", "/c"}, 2 * kBytes);
  StartEngine();
  const auto storm = [this](int seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 300; ++i) {
      std::vector<std::unique_ptr<Answer>> answers;
      for (int k = 0; k < 4; ++k) {
        const std::string id(1, static_cast<char>('a' + random() % 3));
        answers.push_back(std::make_unique<Answer>());
        if (random() % 2 == 0) {
          loader_->Load(id, std::nullopt, answers.back()->Into());
        } else {
          loader_->Unload(id, answers.back()->Into());
        }
        const ModelRef used = loader_->Hold(id);
      }
      for (const auto& answer : answers) {
        const absl::Status& status = answer->Wait();
        if (status.ok()) continue;
        EXPECT_EQ(ErrorReason(status), "UNLOADED");
      }
    }
  };
  std::thread other(storm, 1);
  storm(2);
  other.join();
  for (const char* id : {"a", "b", "c"}) {
    Answer unload;
    loader_->Unload(id, unload.Into());
    EXPECT_THAT(unload.Wait(), IsOk());
  }
  EXPECT_EQ(source_.alive(), 0);
}

// --- with real models --------------------------------------------------------

class FolderSourceTest : public ModelLoaderTest {
 protected:
  void Make(const std::vector<ModelConfig>& models,
            int64_t budget_bytes = int64_t{1} << 30) {
    Config config;
    config.models = models;
    loader_ = std::make_unique<ModelLoader>(
        config, Placement(), budget_bytes, FolderSource(Placement()), clock_,
        metrics_, ModelLoaderListener{.unloaded = [] {}, .changed = [] {}});
  }

  c10::InferenceMode inference_;
};

TEST_F(FolderSourceTest, KnowsTheBytesBeforeItLoads) {
  const ModelSource source = FolderSource(Placement());
  const auto model = source.load(TinyModelFolder());
  ASSERT_THAT(model.status(), IsOk());
  EXPECT_EQ(source.bytes(TinyModelFolder())->all, (*model)->weight_bytes());
}

// What sizing says is shared is what loading shares: the same object.
TEST_F(FolderSourceTest, KnowsWhatModelsOfTheSameFilesShare) {
  const TestFolder folder;
  const std::string other = folder.CopyTinyModel();
  std::filesystem::remove_all(other + "/vae");
  std::filesystem::create_directory_symlink(TinyModelFolder() + "/vae",
                                            other + "/vae");
  const ModelSource source = FolderSource(Placement());
  const ModelBytes own = *source.bytes(TinyModelFolder());
  EXPECT_EQ(own.shared.size(), 2u) << "a text encoder and an autoencoder";
  const ModelBytes others = *source.bytes(other);
  EXPECT_EQ(others.all, own.all);
  const auto first = source.load(TinyModelFolder());
  const auto second = source.load(other);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  const int64_t codec = (*first)->codec().weight_bytes();
  EXPECT_EQ(&(*first)->codec(), &(*second)->codec());
  BytesTogether together;
  together.Add(own);
  together.Add(others);
  EXPECT_EQ(together.bytes(), 2 * own.all - codec);
  together.Remove(own);
  EXPECT_EQ(together.bytes(), own.all);
}

TEST_F(FolderSourceTest, SaysWhichFolderIsNone) {
  Make({{"broken", "/nowhere"}});
  EXPECT_THAT(Load("broken"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "/nowhere"));
}

TEST_F(FolderSourceTest, AModelThatLacksAFileSendsNobodyAway) {
  const int64_t bytes = FolderSource(Placement()).bytes(TinyModelFolder())->all;
  for (const char* missing :
       {"scheduler/scheduler_config.json", "unet/config.json", "tokenizer"}) {
    const TestFolder folder;
    const std::string broken = folder.CopyTinyModel();
    std::filesystem::remove_all(broken + "/" + missing);
    Make({{"good", TinyModelFolder()}, {"broken", broken}}, bytes * 3 / 2);
    EXPECT_THAT(Load("good"), IsOk());
    EXPECT_THAT(Load("broken"),
                StatusIs(absl::StatusCode::kFailedPrecondition, missing));
    EXPECT_THAT(loader_->ReadyIds(), ElementsAre("good")) << missing;
  }
}

int64_t ResidentBytes() { return ProcessMemory::Now().resident; }

TEST_F(FolderSourceTest, MemoryComesBackFiftyTimes) {
  const std::string folder = SourcePath("models/emaki");
  Make({{"emaki", folder}});
  const auto use = [&] {
    ASSERT_THAT(Load("emaki"), IsOk());
    const auto model = loader_->Hold("emaki");
    model->codec().Decode(
        at::zeros({1, model->codec().latent_channels(), 8, 8}));
  };
  const auto unload = [&] {
    Answer answer;
    loader_->Unload("emaki", answer.Into());
    EXPECT_THAT(answer.Wait(), IsOk());
  };
  // What libraries make once for good comes first.
  for (int i = 0; i < 3; ++i) {
    use();
    unload();
  }
  const int64_t before = ResidentBytes();
  for (int i = 0; i < 50; ++i) {
    use();
    unload();
  }
  // One lost model would be 80 MB.
  const int64_t weights = FolderSource(Placement()).bytes(folder)->all;
  EXPECT_LT(ResidentBytes() - before, weights / 4);
}

}  // namespace
}  // namespace genzo
