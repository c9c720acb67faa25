// Tenants that share a device, and devices that share the queue.

#include <array>
#include <thread>

#include "absl/algorithm/container.h"
#include "absl/synchronization/notification.h"
#include "tests/worker/engine/engine_fixture.h"

namespace genzo {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

TEST_F(EngineTest, AFloodDoesNotKeepOthersWaiting) {
  config_.max_live_runs = 2;
  config_.max_batch_rows = 2;
  tenant_ = "flood";
  for (int i = 0; i < 12; ++i) Submit(1, /*steps=*/60);
  stays_open_ = true;
  hook_ = [&](const std::vector<double>&) {
    if (behaviour_.evaluations.size() != 5) return;
    tenant_ = "light";
    Submit(2, /*steps=*/3);
    queue_->Close();
  };
  Work();
  size_t last = 0;
  for (size_t i = 0; i < behaviour_.evaluations.size(); ++i) {
    const auto& prompts = behaviour_.evaluations[i];
    if (absl::c_linear_search(prompts, 2)) last = i;
  }
  EXPECT_GT(last, 5u);
  EXPECT_LE(last, 10u);
  EXPECT_GT(behaviour_.evaluations.size(), 300u);
}

// The flood has all places: whoever has one picture may still have another.
TEST_F(EngineTest, AFloodLeavesATenantItsShareOfTheLiveRuns) {
  config_.max_live_runs = 4;
  tenant_ = "flood";
  for (int i = 0; i < 8; ++i) Submit(1, /*steps=*/150);
  stays_open_ = true;
  std::string second;
  size_t joined = 0;  // the evaluation before the second was submitted
  hook_ = [&](const std::vector<double>& prompts) {
    const size_t done = behaviour_.evaluations.size();
    tenant_ = "light";
    if (done == 5) Submit(2, /*steps=*/150);
    if (!second.empty() || !absl::c_linear_search(prompts, 2)) return;
    second = Submit(3, /*steps=*/2);
    joined = done;
    queue_->Close();
  };
  Work();
  EXPECT_THAT(OutcomeOf(second).status(), IsOk());
  size_t last = 0;
  for (size_t i = 0; i < behaviour_.evaluations.size(); ++i) {
    if (absl::c_linear_search(behaviour_.evaluations[i], 3)) last = i;
  }
  EXPECT_LE(last, joined + 10);
}

// The model can be loaded only once the one that it replaces is done.
TEST_F(EngineTest, AFloodForAModelThatIsNotLoadedLeavesTheLoadedOnesFree) {
  model_bytes_ = 400'000;           // two of the three fit
  config_.models[1].pinned = true;  // so that the busy one must leave
  config_.models.push_back({.id = "c", .path = "c"});
  config_.max_live_runs = 4;
  const std::string busy = Submit(1, /*steps=*/200, /*images=*/1, "a");
  stays_open_ = true;
  std::vector<std::string> flood;
  std::string light;
  hook_ = [&](const std::vector<double>&) {
    const size_t done = behaviour_.evaluations.size();
    while (done == 5 && flood.size() < 8) {
      flood.push_back(Submit(3, /*steps=*/2, /*images=*/1, "c"));
    }
    if (done == 10) light = Submit(2, /*steps=*/2, /*images=*/1, "b");
    if (done != 50) return;
    queue_->Cancel(busy);
    queue_->Close();
  };
  Work();
  EXPECT_THAT(OutcomeOf(light).status(), IsOk());
  for (const std::string& id : flood) {
    EXPECT_THAT(OutcomeOf(id).status(), IsOk());
  }
  for (size_t i = 0; i < behaviour_.evaluations.size(); ++i) {
    const auto& prompts = behaviour_.evaluations[i];
    EXPECT_FALSE(i > 15 && absl::c_linear_search(prompts, 2)) << i;
    EXPECT_FALSE(i < 50 && absl::c_linear_search(prompts, 3)) << i;
  }
}

// Neither evaluates before the other has a job, so one alone could not end.
// The run that comes back from its larger picture holds the model that has to
// leave for those who wait.
TEST_F(EngineTest, AHopHoldsNobodyUpForEver) {
  config_.max_live_runs = 1;
  model_bytes_ = 700'000;  // two do not fit
  hires_.set_width(16);
  hires_.set_height(16);
  hires_.set_steps(2);
  hires_.set_strength(1);
  hires_.set_upscale(v1::HiresPass::UPSCALE_LANCZOS);
  const std::string hops = Submit(1, /*steps=*/2);
  hires_.Clear();
  std::vector<std::string> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(Submit(2, /*steps=*/2, /*images=*/1, "b"));
  }
  Work();
  EXPECT_THAT(OutcomeOf(hops).status(), IsOk());
  for (const std::string& id : others) {
    EXPECT_THAT(OutcomeOf(id).status(), IsOk());
  }
}

TEST_F(EngineTest, TwoDevicesShareTheQueue) {
  load_.backlog().SetDevices(2);
  config_.max_live_runs = 1;
  const std::string a = Submit(1, /*steps=*/1);
  const std::string b = Submit(2, /*steps=*/1);
  std::array<absl::Notification, 2> evaluates;
  const auto work = [&](int index) {
    FakeBehaviour behaviour;
    bool working = false;
    behaviour.before_evaluation = [&](const std::vector<double>&) {
      if (!std::exchange(working, false)) return;
      evaluates[index].Notify();
      evaluates[1 - index].WaitForNotification();
    };
    const ModelSource source = {
        .bytes = [](const ModelFiles&) { return int64_t{1}; },
        .load = [&](const ModelFiles&) -> absl::StatusOr<ModelRef> {
          return std::make_shared<FakePipeline>(behaviour);
        }};
    Engine engine(config_,
                  {.index = index, .placement = {}, .memory_bytes = 1 << 20},
                  {*queue_, load_, catalog_, metrics_, clock_,
                   [&](const Placement&) { return source; }},
                  EncodeStage::Where::kCaller);
    engine.Work([&] {
      working = true;
      queue_->Close();
    });
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  EXPECT_THAT(OutcomeOf(a).status(), IsOk());
  EXPECT_THAT(OutcomeOf(b).status(), IsOk());
}

TEST_F(EngineTest, ACheckpointThatDoesNotFitIsForgotten) {
  const std::string id = Submit(7, /*steps=*/3);
  queue_->Take({})->Checkpoint("nonsense");
  Work();
  EXPECT_EQ(OutcomeOf(id).ended.steps_run(), 3u);
  EXPECT_THAT(behaviour_.evaluations, SizeIs(3));
}

}  // namespace
}  // namespace genzo
