#include "worker/residency/model_pool.h"

#include <unistd.h>

#include <fstream>

#include "ATen/ops/zeros.h"
#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class ModelPoolTest : public ::testing::Test {
 protected:
  ModelPoolTest() {
    config_.models = {{"a", TinyModelFolder()},
                      {"b", TinyModelFolder()},
                      {"broken", "/nowhere"}};
  }

  void MakePool(int64_t budget_bytes) {
    pool_ = std::make_unique<ModelPool>(
        config_, Placement(), budget_bytes, Clock::Real(), metrics_,
        ModelPoolListener{.unloaded = [] {}, .changed = [] {}});
  }

  // As the engine does, without measuring.
  absl::Status Load(const std::string& id) {
    absl::Notification done;
    absl::Status result;
    pool_->Load(id, std::nullopt, [&](const absl::Status& status) {
      result = status;
      done.Notify();
    });
    while (!done.HasBeenNotified()) {
      pool_->AwaitChange();
      for (const auto& loaded : pool_->TakeLoaded()) pool_->Ready(loaded.id, 0);
      if (!pool_->Failure(id).ok()) done.WaitForNotification();
    }
    return result;
  }

  void Unload(const std::string& id) {
    absl::Notification done;
    pool_->Unload(id, [&](const absl::Status& status) {
      EXPECT_THAT(status, IsOk());
      done.Notify();
    });
    done.WaitForNotification();
  }

  int64_t TinyBytes() const {
    return *DiffusionModel::WeightBytes(TinyModelFolder(), Placement());
  }

  c10::InferenceMode inference_;
  Config config_;
  Metrics metrics_;
  std::unique_ptr<ModelPool> pool_;
};

TEST_F(ModelPoolTest, KnowsTheBytesBeforeItLoads) {
  const auto model = DiffusionModel::Load(TinyModelFolder(), Placement());
  EXPECT_EQ(TinyBytes(), (*model)->weight_bytes());
}

TEST_F(ModelPoolTest, LoadsAndHolds) {
  MakePool(1 << 30);
  EXPECT_EQ(pool_->Hold("a"), nullptr);
  EXPECT_THAT(Load("a"), IsOk());
  EXPECT_NE(pool_->Hold("a"), nullptr);
  EXPECT_THAT(pool_->ReadyIds(), ::testing::ElementsAre("a"));
  EXPECT_THAT(Load("a"), IsOk()) << "again";
}

TEST_F(ModelPoolTest, SaysWhyAModelCannotBeLoaded) {
  MakePool(1 << 30);
  EXPECT_THAT(Load("broken"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "/nowhere"));
  EXPECT_EQ(ErrorReason(pool_->Failure("broken")), "MODEL_FAILED");
  EXPECT_THAT(Load("a"), IsOk()) << "the others go on";
}

TEST_F(ModelPoolTest, MakesRoomWithinTheBudget) {
  MakePool(TinyBytes() + 1);
  EXPECT_THAT(Load("a"), IsOk());
  EXPECT_THAT(Load("b"), IsOk());
  EXPECT_THAT(pool_->ReadyIds(), ::testing::ElementsAre("b"));
}

TEST_F(ModelPoolTest, RefusesWhatCannotFit) {
  MakePool(TinyBytes() - 1);
  EXPECT_EQ(ErrorReason(Load("a")), "DOES_NOT_FIT");
}

TEST_F(ModelPoolTest, AModelLeavesOnlyWhenNobodyHoldsIt) {
  MakePool(1 << 30);
  EXPECT_THAT(Load("a"), IsOk());
  auto held = pool_->Hold("a");
  const at::Tensor latents = at::zeros({1, held->latent_channels(), 8, 8});
  absl::Notification gone;
  pool_->Unload("a", [&](const absl::Status&) { gone.Notify(); });
  held->decoder().Full(latents);
  EXPECT_FALSE(gone.HasBeenNotified());
  held.reset();
  gone.WaitForNotification();
  EXPECT_EQ(pool_->Hold("a"), nullptr);
}

TEST_F(ModelPoolTest, WhatWaitsIsAnsweredWhenItStops) {
  MakePool(1 << 30);
  absl::Status result;
  pool_->Stop();
  pool_->Load("a", std::nullopt,
              [&](const absl::Status& status) { result = status; });
  EXPECT_EQ(ErrorReason(result), "DRAINING");
}

int64_t ResidentBytes() {
  int64_t size = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * sysconf(_SC_PAGE_SIZE);
}

TEST_F(ModelPoolTest, MemoryComesBackFiftyTimes) {
  config_.models = {{"emaki", SourcePath("models/emaki")}};
  MakePool(1 << 30);
  const auto use = [&] {
    ASSERT_THAT(Load("emaki"), IsOk());
    const auto model = pool_->Hold("emaki");
    model->decoder().Full(at::zeros({1, model->latent_channels(), 8, 8}));
  };
  // What libraries make once for good comes first.
  for (int i = 0; i < 3; ++i) {
    use();
    Unload("emaki");
  }
  const int64_t before = ResidentBytes();
  for (int i = 0; i < 50; ++i) {
    use();
    Unload("emaki");
  }
  const int64_t weights =
      *DiffusionModel::WeightBytes(SourcePath("models/emaki"), Placement());
  // One lost model would be 80 MB.
  EXPECT_LT(ResidentBytes() - before, weights / 4);
}

}  // namespace
}  // namespace genzo
