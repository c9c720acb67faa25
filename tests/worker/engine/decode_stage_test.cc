#include "worker/engine/decode_stage.h"

#include <cmath>
#include <vector>

#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "absl/synchronization/notification.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

using v1::JobEvent;

// What became of a job, for the test to see.
struct Record {
  absl::Notification taken;  // the decode thread asked for the first time
  absl::Notification go_on;  // it waits for this
  absl::Notification completed;
  absl::Notification dropped;
  int attempt = 1;
  std::vector<std::string> events;  // of the decode thread; read when completed
};

class FakeLease : public JobLease {
 public:
  FakeLease(internal::v1::Job job, Record& record)
      : job_(std::move(job)), record_(record) {}
  ~FakeLease() override { record_.dropped.Notify(); }

  const internal::v1::Job& job() const override { return job_; }
  int attempt() const override { return record_.attempt; }
  const std::string& checkpoint() const override { return checkpoint_; }
  bool Renew() override { return true; }
  void Checkpoint(std::string state) override {}
  bool cancelled() const override {
    if (!record_.taken.HasBeenNotified()) record_.taken.Notify();
    record_.go_on.WaitForNotification();
    return false;
  }
  void Post(JobEvent event) override {
    if (event.has_started()) return;
    if (event.has_image_failed()) {
      return record_.events.push_back(event.image_failed().status().message());
    }
    record_.events.push_back(
        event.has_preview()
            ? "preview " + std::to_string(event.preview().step())
            : "image " + std::to_string(event.image().image_index()));
  }
  void End(v1::Ended ended) override {
    const absl::Status status = StatusOf(ended);
    if (!status.ok()) record_.events.push_back(status.ToString());
    if (!record_.completed.HasBeenNotified()) record_.completed.Notify();
  }

 private:
  const std::string checkpoint_;
  const internal::v1::Job job_;
  Record& record_;
};

class DecodeStageTest : public ::testing::Test {
 protected:
  explicit DecodeStageTest(const Placement& placement = {})
      : model_(*LoadPipeline(TinyModelFolder(), placement)) {
    job_ = Job(record_);
  }

  std::shared_ptr<JobState> Job(Record& record) {
    internal::v1::Job job;
    job.mutable_request()->set_model("tiny");
    job.mutable_request()->set_image_count(1);
    return std::make_shared<JobState>(std::make_unique<FakeLease>(job, record),
                                      model_, clock_,
                                      metrics_.ForModel("tiny"));
  }

  DecodeTask Task(int step) {
    return {.job = job_,
            .latent = at::zeros({1, 4, 8, 8}),
            .is_final = false,
            .step = step,
            .submitted = clock_.Now()};
  }

  DecodeTask Final() {
    DecodeTask task = Task(9);
    task.is_final = true;
    return task;
  }

  std::unique_ptr<DecodeStage> Stage(
      std::function<bool()> device_works = nullptr) {
    return std::make_unique<DecodeStage>(
        DecodeStage::Options{
            .max_finals = 2,
            .threads = [] { return 1; },
            .on_decoded = [](const JobDemand&, absl::Duration) {},
            .device_works = std::move(device_works)},
        cpu_stream_, clock_, metrics_, finisher_);
  }

  FakeClock clock_;
  Metrics metrics_;
  Record record_;
  PictureJudges judges_{{}, /*safety_checker=*/"", c10::Device(c10::kCPU)};
  const PictureFinisher finisher_{judges_};
  const DeviceStream cpu_stream_{c10::Device(c10::kCPU), StreamPriority::kLow};
  const std::shared_ptr<const Pipeline> model_;
  std::shared_ptr<JobState> job_;
};

TEST_F(DecodeStageTest, ShowsPreviewsBeforeTheImage) {
  const auto stage = Stage();
  stage->Submit(Task(1));
  stage->Submit(Task(2));
  stage->Submit(Final());
  record_.go_on.Notify();
  record_.completed.WaitForNotification();
  EXPECT_THAT(record_.events,
              ::testing::ElementsAre("preview 1", "preview 2", "image 0"));
}

TEST_F(DecodeStageTest, DropsTheOldestPreviewsWhenItCannotKeepUp) {
  const auto stage = Stage();
  stage->Submit(Task(1));
  record_.taken.WaitForNotification();
  for (int step = 2; step <= 7; ++step) stage->Submit(Task(step));
  stage->Submit(Final());
  record_.go_on.Notify();
  record_.completed.WaitForNotification();
  EXPECT_THAT(record_.events,
              ::testing::ElementsAre("preview 1", "preview 4", "preview 5",
                                     "preview 6", "preview 7", "image 0"));
  EXPECT_EQ(metrics_.previews_dropped().Value(), 2);
}

TEST_F(DecodeStageTest, FinishesWhatWaitsWhenItEnds) {
  {
    const auto stage = Stage();
    stage->Submit(Final());
    record_.go_on.Notify();
  }
  EXPECT_TRUE(record_.completed.HasBeenNotified());
}

TEST_F(DecodeStageTest, AFaultFailsTheJob) {
  const auto stage = Stage();
  record_.go_on.Notify();
  DecodeTask task = Final();
  task.latent = at::zeros({1, 3, 8, 8});
  stage->Submit(task);
  record_.completed.WaitForNotification();
  ASSERT_EQ(record_.events.size(), 2u) << "the image's failure and the job's";
  for (const std::string& event : record_.events) {
    EXPECT_THAT(event, ::testing::HasSubstr("decoding image 0 failed"));
  }
}

TEST_F(DecodeStageTest, OnABrokenDeviceTheJobGoesToAnother) {
  const auto stage = Stage([] { return false; });
  record_.go_on.Notify();
  DecodeTask task = Final();
  task.latent = at::zeros({1, 3, 8, 8});
  stage->Submit(std::move(task));
  job_ = nullptr;
  record_.dropped.WaitForNotification();
  EXPECT_THAT(record_.events, ::testing::IsEmpty());
}

TEST_F(DecodeStageTest, TheLastWorkerThatMayTryTellsTheFault) {
  record_.attempt = JobLease::kMostAttempts;
  const auto stage = Stage([] { return false; });
  record_.go_on.Notify();
  DecodeTask task = Final();
  task.latent = at::zeros({1, 3, 8, 8});
  stage->Submit(std::move(task));
  job_ = nullptr;
  record_.dropped.WaitForNotification();
  EXPECT_EQ(record_.events.size(), 2u) << "the image's failure and the job's";
}

class HalfDecodeStageTest : public DecodeStageTest {
 protected:
  HalfDecodeStageTest() : DecodeStageTest({.dtype = at::kHalf}) {}
};

TEST_F(HalfDecodeStageTest, ALatentTooLargeForTheTypeIsDecodedInFloat32) {
  const auto stage = Stage();
  record_.go_on.Notify();
  DecodeTask task = Final();
  task.latent = at::full({1, 4, 8, 8}, 1e6f);
  stage->Submit(task);
  record_.completed.WaitForNotification();
  EXPECT_THAT(record_.events, ::testing::ElementsAre("image 0"));
}

TEST_F(DecodeStageTest, ALatentThatIsNotFiniteIsNamed) {
  const auto stage = Stage();
  record_.go_on.Notify();
  DecodeTask task = Final();
  task.latent = at::full({1, 4, 8, 8}, std::nanf(""));
  stage->Submit(task);
  record_.completed.WaitForNotification();
  ASSERT_EQ(record_.events.size(), 2u);
  EXPECT_THAT(record_.events[0], ::testing::HasSubstr("after step 9"));
}

}  // namespace
}  // namespace genzo
