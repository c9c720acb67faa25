#include "worker/engine/intake.h"

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "c10/core/InferenceMode.h"
#include "queue/split_job_queue.h"
#include "tests/testing/tiny_lora.h"
#include "tests/worker/engine/engine_fixture.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

// Knows how its worker waits: for news, or by asking over and over.
class WatchedQueue : public SplitJobQueue {
 public:
  static constexpr int kOverAndOver = 1000;

  explicit WatchedQueue(JobQueue& queue) : SplitJobQueue(queue, queue) {}

  bool Done() const override {
    if (++asked_ == kOverAndOver && !waits_) known_.Notify();
    return SplitJobQueue::Done();
  }
  void AwaitNudge() override {
    if (!waits_.exchange(true) && asked_ < kOverAndOver) known_.Notify();
    SplitJobQueue::AwaitNudge();
  }

  void AwaitKnown() const { known_.WaitForNotification(); }
  bool waits() const { return waits_; }
  int asked() const { return asked_; }

 private:
  mutable std::atomic<int> asked_{0};
  std::atomic<bool> waits_{false};
  mutable absl::Notification known_;
};

// Takes the tiny model's adapters, and asks before a picture is decoded.
class AdaptedPipeline : public FakePipeline {
 public:
  AdaptedPipeline(FakeBehaviour& behaviour, ModelRef tiny,
                  std::function<void()> before_decode)
      : FakePipeline(behaviour),
        tiny_(std::move(tiny)),
        codec_(std::move(before_decode)) {}

  std::shared_ptr<const AdapterTargets> adapter_targets() const override {
    return tiny_->adapter_targets();
  }
  const LatentCodec& codec() const override { return codec_; }

 private:
  class AskingCodec : public FakeCodec {
   public:
    explicit AskingCodec(std::function<void()> before_decode)
        : before_decode_(std::move(before_decode)) {}
    at::Tensor Decode(const at::Tensor& latents) const override {
      before_decode_();
      return FakeCodec::Decode(latents);
    }

   private:
    const std::function<void()> before_decode_;
  };

  const ModelRef tiny_;
  const AskingCodec codec_;
};

using IntakeTest = EngineTest;

// The second job's adapter has room once the first job's picture is decoded,
// and nothing else will happen until then.
TEST_F(IntakeTest, WhatWaitsForRoomForItsAdaptersDoesNotSpin) {
  const c10::InferenceMode inference;
  const TestFolder folder;
  for (const char* name : {"lora0", "lora1"}) {
    WriteLora(folder, name, TinyLora(/*rank=*/2));
  }
  LoraCatalog catalog;
  LoraLibrary library({folder.path()}, catalog, absl::InfiniteDuration());
  const ModelRef tiny = *LoadPipeline(TinyModelFolder(), Placement());
  WatchedQueue queue(*queue_);
  EngineDependencies dependencies = {
      queue, load_, catalog_, metrics_, clock_, [&](const Placement&) {
        return ModelSource{
            .bytes = [](const ModelFiles&) { return int64_t{1}; },
            .load = [&](const ModelFiles&) -> absl::StatusOr<ModelRef> {
              return std::make_shared<AdaptedPipeline>(behaviour_, tiny, [&] {
                if (working_) queue.AwaitKnown();
              });
            }};
      }};
  dependencies.loras = &library;
  lora_ = "lora0";
  const std::string first = Submit(/*prompt=*/1, /*steps=*/1);
  lora_ = "lora1";
  const std::string second = Submit(/*prompt=*/2, /*steps=*/1);
  Engine engine(config_,
                {.index = 0,
                 .placement = {},
                 .memory_bytes = 1 << 30,
                 .adapter_bytes = LoraAdapter::BytesOf(
                     *library.Find("lora0")->tensors, *tiny->adapter_targets(),
                     Placement())},
                dependencies, EncodeStage::Where::kCaller);
  engine.Work([&] {
    working_ = true;
    queue.Close();
  });
  EXPECT_THAT(OutcomeOf(first).status(), IsOk());
  EXPECT_THAT(OutcomeOf(second).status(), IsOk());
  EXPECT_TRUE(queue.waits());
  EXPECT_LT(queue.asked(), WatchedQueue::kOverAndOver);
}

}  // namespace
}  // namespace genzo
