// A device that is taken out while it paints, and the one that goes on.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>

#include "absl/algorithm/container.h"
#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "tests/worker/engine/engine_fixture.h"

namespace genzo {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Decodes on the way to a second pass, not for the reader, ask first.
class AskingCodec : public FakeCodec {
 public:
  explicit AskingCodec(const std::function<void()>& before_hop)
      : before_hop_(before_hop) {}

  at::Tensor Decode(const at::Tensor& latents) const override {
    if (before_hop_) before_hop_();
    return FakeCodec::Decode(latents);
  }
  at::Tensor Preview(const at::Tensor& denoised, PreviewKind) const override {
    return FakeCodec::Decode(denoised);
  }

 private:
  const std::function<void()>& before_hop_;
};

class AskingPipeline : public FakePipeline {
 public:
  AskingPipeline(FakeBehaviour& behaviour,
                 const std::function<void()>& before_hop)
      : FakePipeline(behaviour), codec_(before_hop) {}

  const LatentCodec& codec() const override { return codec_; }

 private:
  const AskingCodec codec_;
};

// The pool's second device, on a thread of its own, whose evaluations fail
// while fails_() says so; the first works as in all tests of the engine.
class BrokenDeviceTest : public EngineTest {
 protected:
  // Of one job: as many as it takes until nobody believes the probes.
  static constexpr int kImages = DeviceHealth::kHopeless;
  static constexpr int kPlaces = kImages + 2;

  BrokenDeviceTest() {
    load_.backlog().SetDevices(2);
    StepProfile profile;
    profile.costs = StepCosts(
        {{1, absl::Milliseconds(10)}, {kPlaces, absl::Milliseconds(10)}});
    Profile(profile);
    config_.max_live_runs = config_.max_batch_rows = kPlaces;
    breaks_.before_evaluation = [this](const std::vector<double>& prompts) {
      clock_.Advance(absl::Milliseconds(10));
      if (!begun_) return;
      if (fails_ && fails_()) throw std::runtime_error("broken");
      for (const double prompt : prompts) ++done_[prompt];
    };
  }

  // Begins what was submitted.
  void Begin() {
    EngineDependencies dependencies = {
        *queue_, load_, catalog_, metrics_, clock_, [this](const Placement&) {
          return ModelSource{
              .bytes = [this](const ModelFiles&) { return model_bytes_; },
              .load = [this](const ModelFiles&) -> absl::StatusOr<ModelRef> {
                return std::make_shared<AskingPipeline>(breaks_, before_hop_);
              }};
        }};
    dependencies.on_health = [this](bool usable) {
      if (!usable && on_out_) on_out_();
      absl::Notification& news = usable ? back_ : out_;
      if (!news.HasBeenNotified()) news.Notify();
    };
    device_ = std::make_unique<Engine>(
        config_,
        EngineDevice{.index = 1, .placement = {}, .memory_bytes = 1 << 20},
        dependencies, EncodeStage::Where::kCaller);
    thread_ = std::thread([this] { device_->Work([this] { begun_ = true; }); });
  }

  void End() {
    if (device_ == nullptr) return;
    queue_->Close();
    device_->Stop();
    if (thread_.joinable()) thread_.join();
    device_ = nullptr;
  }
  void TearDown() override { End(); }

  // The first device's work, until it has begun each of `prompts`.
  void WorkUntilBegun(std::set<double> prompts) {
    stays_open_ = true;
    hook_ = [this, prompts = std::move(prompts)](
                const std::vector<double>& begun) mutable {
      for (const double prompt : begun) prompts.erase(prompt);
      if (prompts.empty()) queue_->Close();
    };
    Work();
  }

  void Load(const std::string& model) {
    device_->models().Load(model, std::nullopt,
                           [this](const absl::Status& status) {
                             loaded_ = status;
                             told_.Notify();
                           });
  }

  // The device is back as soon as it is out, and sound.
  void BreakOnce() {
    fails_ = [this] { return !out_.HasBeenNotified() && done_[7] == kImages; };
    on_out_ = [this] { clock_.Advance(DeviceHealth::kLongestRest); };
    Submit(/*prompt=*/7, /*steps=*/2, kImages);
    Begin();
    out_.WaitForNotification();
    back_.WaitForNotification();
  }

  FakeBehaviour breaks_;
  std::function<bool()> fails_;       // asked before an evaluation
  std::function<void()> before_hop_;  // asked before a hop's decode
  std::function<void()> on_out_;      // called as it is taken out
  std::map<double, int> done_;        // evaluations of each prompt's rows
  std::atomic<bool> begun_{false};    // models are loaded
  absl::Notification out_;
  absl::Notification back_;
  absl::Notification told_;  // of Load()
  absl::Status loaded_;
  std::unique_ptr<Engine> device_;
  std::thread thread_;
};

TEST_F(BrokenDeviceTest, AnotherDeviceGoesOnWhereItStood) {
  const std::string id = Submit(/*prompt=*/7, /*steps=*/5, kImages);
  fails_ = [this] { return done_[7] == 2 * kImages; };
  Begin();
  out_.WaitForNotification();
  WorkUntilBegun({7});
  EXPECT_THAT(behaviour_.evaluations, SizeIs(3)) << "of five steps";
  EXPECT_THAT(behaviour_.evaluations, Each(SizeIs(kImages)));
  const auto pictures_of = [this](const std::string& job) {
    std::vector<std::string> pictures;
    v1::Ended ended;
    while (auto event = records_.at(job)->Take()) {
      if (event->has_image()) {
        pictures.push_back(event->image().picture().data());
      }
      if (event->has_ended()) ended = event->ended();
    }
    return std::pair(pictures, ended);
  };
  const auto [pictures, ended] = pictures_of(id);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.steps_run(), 5u * kImages);
  EXPECT_THAT(pictures, SizeIs(kImages));
  End();
  // One that was never disturbed has the same bits.
  queue_ = NewQueue();
  hook_ = nullptr;
  stays_open_ = false;
  const std::string calm = Submit(7, /*steps=*/5);
  Work();
  const auto calm_pictures = pictures_of(calm).first;
  ASSERT_THAT(calm_pictures, SizeIs(1));
  EXPECT_THAT(pictures, Each(calm_pictures[0]));
}

// One is decoded for its second pass, one waits to be enlarged behind it, when
// the steps of the others show that the device is broken.
TEST_F(BrokenDeviceTest, SoItDoesWithWhatIsOnItsWayThroughPixels) {
  hires_.set_width(16);
  hires_.set_height(16);
  hires_.set_steps(2);
  hires_.set_strength(1);
  hires_.set_upscale(v1::HiresPass::UPSCALE_LANCZOS);
  const std::string hops = Submit(/*prompt=*/1, /*steps=*/1);
  hires_.Clear();
  upscaler_ = "lanczos";
  const std::string enlarged = Submit(/*prompt=*/2, /*steps=*/2);
  upscaler_.clear();
  const std::string plain = Submit(/*prompt=*/7, /*steps=*/5, kImages);
  fails_ = [this] { return done_[1] == 1 && done_[2] == 2; };
  before_hop_ = [this] {
    if (!begun_) return;
    out_.WaitForNotification();
    throw std::runtime_error("broken");
  };
  // All three are the second's until then.
  load_.backlog().SetState(0, {.out = true});
  Begin();
  out_.WaitForNotification();
  load_.backlog().SetState(0, {});
  WorkUntilBegun({1, 2, 7});
  const Outcome second_pass = OutcomeOf(hops);
  EXPECT_THAT(second_pass.status(), IsOk());
  EXPECT_THAT(second_pass.failed, IsEmpty());
  EXPECT_THAT(second_pass.images, ElementsAre(0));
  EXPECT_THAT(second_pass.steps, ElementsAre(1, 2, 3)) << "on from the hop";
  const Outcome larger = OutcomeOf(enlarged);
  EXPECT_THAT(larger.status(), IsOk());
  EXPECT_THAT(larger.failed, IsEmpty());
  EXPECT_THAT(larger.images, ElementsAre(0));
  EXPECT_THAT(OutcomeOf(plain).images, SizeIs(kImages));
}

TEST_F(BrokenDeviceTest, ItLoadsNoModels) {
  model_bytes_ = 700'000;  // "b" does not fit beside "a"
  Submit(/*prompt=*/7, /*steps=*/5, kImages);
  fails_ = [] { return true; };
  Begin();
  out_.WaitForNotification();
  Load("b");
  ASSERT_TRUE(told_.HasBeenNotified()) << "at once";
  EXPECT_EQ(ErrorReason(loaded_), kDeviceOut);
}

TEST_F(BrokenDeviceTest, OnceItIsBackItLoadsModels) {
  model_bytes_ = 700'000;
  BreakOnce();
  Load("b");
  told_.WaitForNotification();
  EXPECT_THAT(loaded_, IsOk());
}

TEST_F(BrokenDeviceTest, OnceItIsBackItEnlarges) {
  BreakOnce();
  upscaler_ = "lanczos";
  const std::string id = Submit(/*prompt=*/2, /*steps=*/2);
  queue_->Close();
  thread_.join();
  const Outcome outcome = OutcomeOf(id);
  EXPECT_THAT(outcome.status(), IsOk());
  EXPECT_THAT(outcome.images, ElementsAre(0));
}

}  // namespace
}  // namespace genzo
