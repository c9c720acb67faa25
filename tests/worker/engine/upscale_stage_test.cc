#include "worker/engine/upscale_stage.h"

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "base/proto_time.h"
#include "queue/memory_job_queue.h"
#include "tests/testing/event_record.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class UpscaleStageTest : public ::testing::Test {
 protected:
  std::shared_ptr<EventRecord> Send(const std::string& id) {
    internal::v1::Job job;
    job.set_id(id);
    *job.mutable_accepted_at() = ToProto(clock_.Date());
    v1::UpscaleRequest& request = *job.mutable_upscale();
    request.set_upscaler("lanczos");
    request.mutable_picture()->set_data(
        ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
    request.mutable_output()->set_format(v1::IMAGE_FORMAT_PNG);
    auto record = std::make_shared<EventRecord>();
    EXPECT_THAT(queue_.Submit(std::move(job), record), IsOk());
    return record;
  }

  // Of a job with one image, which leaves a run behind where it may.
  UpscaleTask PaintedTask(const std::shared_ptr<EventRecord>& record) {
    internal::v1::Job job;
    job.set_id("painted");
    *job.mutable_accepted_at() = ToProto(clock_.Date());
    job.mutable_request()->set_image_count(1);
    EXPECT_THAT(painting_.Submit(std::move(job), record), IsOk());
    const auto state = std::make_shared<JobState>(
        painting_.Take({}), /*model=*/nullptr, clock_, metrics_.ForModel(""));
    return {.job = state,
            .upscaler = "lanczos",
            .pixels = []() -> at::Tensor {
              throw std::runtime_error("the device is gone");
            },
            .done = [](const at::Tensor&) { return absl::OkStatus(); },
            .keep = [state] { state->KeepRun(0, "before the hop"); }};
  }

  std::unique_ptr<UpscaleStage> Stage(std::function<int()> threads,
                                      std::function<bool()> device_works) {
    return std::make_unique<UpscaleStage>(
        UpscaleStage::Options{.queue = &queue_,
                              .tiles = &device_.upscale_tiles,
                              .threads = std::move(threads),
                              .device_works = std::move(device_works)},
        DeviceStream(c10::Device(c10::kCPU), StreamPriority::kLow), clock_,
        metrics_);
  }

  // Waits for it.
  static v1::JobState EndOf(EventRecord& record) {
    while (true) {
      const auto event = record.Take();
      if (event.has_value() && event->has_ended()) {
        return event->ended().state();
      }
      if (!event.has_value()) std::this_thread::yield();
    }
  }

  FakeClock clock_;
  Metrics metrics_;
  DeviceMetrics device_ = metrics_.ForDevice("cpu:0");
  PoolLoad load_;
  MemoryJobQueue queue_{/*capacity=*/8, clock_, metrics_, load_};
  MemoryJobQueue painting_{/*capacity=*/8, clock_, metrics_, load_};
};

TEST_F(UpscaleStageTest, ABrokenDeviceLeavesAPaintedJobToOthers) {
  const auto record = std::make_shared<EventRecord>();
  auto stage = Stage([] { return 1; }, [] { return false; });
  stage->Submit(PaintedTask(record));
  stage.reset();  // finishes what waits
  const auto lease = painting_.TryTake({});
  ASSERT_NE(lease, nullptr);
  const auto left = JobCheckpoint::Parse(lease->checkpoint(), /*images=*/1);
  ASSERT_THAT(left, IsOk());
  EXPECT_EQ(left->runs.at(0), "before the hop");
  EXPECT_EQ(left->images_failed, 0u);
  lease->Fail(absl::CancelledError());
}

TEST_F(UpscaleStageTest, NothingIsBegunOnADeviceThatIsOutOfUse) {
  const auto record = std::make_shared<EventRecord>();
  auto stage = Stage([] { return 1; }, [] { return true; });
  stage->SetUsable(false);
  UpscaleTask task = PaintedTask(record);
  bool begun = false;
  task.pixels = [&begun] {
    begun = true;
    return at::Tensor();
  };
  stage->Submit(std::move(task));
  task = {};
  stage.reset();
  EXPECT_FALSE(begun);
  const auto lease = painting_.TryTake({});
  ASSERT_NE(lease, nullptr);
  lease->Fail(absl::CancelledError());
}

TEST_F(UpscaleStageTest, ADeviceThatWorksIsNotBlamedForAPaintedPicture) {
  const auto record = std::make_shared<EventRecord>();
  auto stage = Stage([] { return 1; }, [] { return true; });
  stage->Submit(PaintedTask(record));
  EXPECT_EQ(EndOf(*record), v1::JOB_STATE_FAILED);
}

TEST_F(UpscaleStageTest, ABrokenDeviceLeavesPicturesToOthers) {
  absl::Notification probed;
  const auto broken =
      Stage([]() -> int { throw std::runtime_error("the device is gone"); },
            [&probed] {
              probed.Notify();
              return false;
            });
  const auto first = Send("first");
  probed.WaitForNotification();
  const auto second = Send("second");
  const auto sound = Stage([] { return 1; }, nullptr);
  EXPECT_EQ(EndOf(*first), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(EndOf(*second), v1::JOB_STATE_SUCCEEDED);
  EXPECT_GE(device_.upscale_tiles.Value(), 2) << "by which it is seen to move";
  queue_.Close();
}

TEST_F(UpscaleStageTest, ADeviceThatIsBackTakesWhatItLeft) {
  std::atomic<bool> is_broken = true;
  absl::Notification told;
  UpscaleStage::Options options = {
      .queue = &queue_,
      .threads = [&is_broken]() -> int {
        if (is_broken) throw std::runtime_error("the device is gone");
        return 1;
      },
      .device_works = [&is_broken] { return !is_broken.load(); },
      .on_broken = [&told] { told.Notify(); }};
  UpscaleStage stage(std::move(options),
                     DeviceStream(c10::Device(c10::kCPU), StreamPriority::kLow),
                     clock_, metrics_);
  const auto picture = Send("picture");
  told.WaitForNotification();
  is_broken = false;
  stage.SetUsable(true);
  EXPECT_EQ(EndOf(*picture), v1::JOB_STATE_SUCCEEDED);
  queue_.Close();
}

TEST_F(UpscaleStageTest, ADeviceThatWorksIsNotBlamedForAPicture) {
  int failures = 0;
  const auto stage = Stage(
      [&failures] {
        if (++failures == 1) throw std::runtime_error("a bad tile");
        return 1;
      },
      [] { return true; });
  const auto bad = Send("bad");
  const auto good = Send("good");
  EXPECT_EQ(EndOf(*bad), v1::JOB_STATE_FAILED);
  EXPECT_EQ(EndOf(*good), v1::JOB_STATE_SUCCEEDED);
  queue_.Close();
}

}  // namespace
}  // namespace genzo
