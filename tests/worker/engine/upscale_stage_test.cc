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
};

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
