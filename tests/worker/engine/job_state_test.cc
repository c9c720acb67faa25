#include "worker/engine/job_state.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "queue/memory_job_queue.h"
#include "queue/pool_load.h"
#include "tests/testing/event_record.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::Image ImageOf(uint32_t index, double score = 0) {
  v1::Image image;
  image.set_image_index(index);
  image.set_seed(index + 1);
  if (score > 0) image.set_score(score);
  return image;
}

// A lease that the queue gives to another worker once `lost` is set.
class LosableLease : public JobLease {
 public:
  LosableLease(std::unique_ptr<JobLease> lease, const bool& lost)
      : lease_(std::move(lease)), lost_(lost) {}

  const internal::v1::Job& job() const override { return lease_->job(); }
  int attempt() const override { return lease_->attempt(); }
  const std::string& checkpoint() const override {
    return lease_->checkpoint();
  }
  bool cancelled() const override { return lease_->cancelled(); }
  bool Renew() override { return !lost_ && lease_->Renew(); }
  void Checkpoint(std::string state) override {
    lease_->Checkpoint(std::move(state));
  }
  void Post(v1::JobEvent event) override { lease_->Post(std::move(event)); }
  void End(v1::Ended ended) override { lease_->End(std::move(ended)); }
  absl::Status CancelStatus() const override { return lease_->CancelStatus(); }

 private:
  const std::unique_ptr<JobLease> lease_;
  const bool& lost_;
};

class JobStateTest : public ::testing::Test {
 protected:
  // A job of two images that a worker has begun.
  JobStateTest() { Begin(/*draw=*/0); }

  // One that draws so many for the best two, in place of it.
  void Begin(uint32_t draw,
             v1::SafetyPolicy policy = v1::SAFETY_POLICY_UNSPECIFIED) {
    // Dropped without an end, the queue would hand it out again.
    if (state_ != nullptr) state_->Fail(absl::CancelledError());
    state_ = nullptr;
    internal::v1::Job job;
    job.set_id(absl::StrCat("a", draw, "-", policy));
    *job.mutable_accepted_at() = ToProto(clock_.Date());
    *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(60));
    v1::GenerateRequest& request = *job.mutable_request();
    request.set_model("tiny");
    request.set_image_count(2);
    request.set_steps(4);
    request.set_safety_policy(policy);
    if (draw > 0) request.mutable_best_of()->set_draw(draw);
    request.mutable_image_to_image()->set_image("png");
    request.mutable_image_to_image()->set_image_bytes(3);
    events_ = std::make_shared<EventRecord>();
    EXPECT_THAT(queue_.Submit(job, events_), IsOk());
    clock_.Advance(absl::Seconds(2));
    state_ = std::make_unique<JobState>(
        std::make_unique<LosableLease>(queue_.Take({}), lost_),
        /*model=*/nullptr, clock_, metrics_.ForModel("tiny"));
    events_->Take();  // queued
  }

  v1::JobEvent Next() { return events_->Take().value_or(v1::JobEvent()); }

  FakeClock clock_;
  Metrics metrics_;
  PoolLoad load_;
  MemoryJobQueue queue_{/*capacity=*/2, clock_, metrics_, load_};
  std::shared_ptr<EventRecord> events_;
  bool lost_ = false;
  std::unique_ptr<JobState> state_;
};

TEST_F(JobStateTest, TellsTheRequestWithoutThePicture) {
  const v1::JobEvent started = Next();
  ASSERT_TRUE(started.has_started());
  const auto& start = started.started().resolved().image_to_image();
  EXPECT_TRUE(start.image().empty());
  EXPECT_EQ(start.image_bytes(), 3u);
  EXPECT_EQ(state_->request().image_to_image().image(), "png");
}

TEST_F(JobStateTest, EndsWithItsLastImage) {
  Next();
  state_->StepDone({.image_index = 1, .progress = {1, 4, 2, 8}});
  const v1::JobEvent progress = Next();
  EXPECT_EQ(progress.progress().step(), 1u);
  EXPECT_EQ(progress.progress().evaluations(), 2u);
  state_->PostImage(ImageOf(0), absl::Seconds(1));
  EXPECT_TRUE(Next().has_image());
  EXPECT_TRUE(state_->Wanted(1));
  EXPECT_FALSE(state_->Wanted(0)) << "it is done";
  state_->PostImage(ImageOf(1), absl::Seconds(1));
  Next();
  const v1::Ended ended = Next().ended();
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.steps_run(), 1u);
  EXPECT_EQ(FromProto(ended.queued()), absl::Seconds(2));
  EXPECT_EQ(FromProto(ended.decode()), absl::Seconds(2));
  EXPECT_EQ(metrics_.ForModel("tiny").jobs_succeeded.Value(), 1);
}

TEST_F(JobStateTest, TheNextWorkerGoesOnFromWhatThisOneLeaves) {
  state_->StepDone({.image_index = 1, .progress = {1, 4, 1, 4}});
  state_->PostImage(ImageOf(0), absl::Seconds(1));
  state_->KeepRun(1, "at step 1");
  state_->KeepRun(1, "");  // it cannot be told: the older one will do
  state_ = nullptr;
  state_ = std::make_unique<JobState>(queue_.Take({}), nullptr, clock_,
                                      metrics_.ForModel("tiny"));
  EXPECT_FALSE(state_->Wanted(0)) << "the reader has it";
  EXPECT_TRUE(state_->Wanted(1));
  EXPECT_EQ(state_->KeptRun(0), "");
  EXPECT_EQ(state_->KeptRun(1), "at step 1");
  state_->StepDone({.image_index = 1, .progress = {2, 4, 2, 4}});
  state_->FailImage(1, absl::InternalError("not finite"));
  std::optional<v1::JobEvent> last;
  int images = 0;
  while (auto event = events_->Take()) {
    if (event->has_image()) ++images;
    last = std::move(event);
  }
  EXPECT_EQ(images, 1);
  EXPECT_EQ(last->ended().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(last->ended().steps_run(), 2u);
  EXPECT_EQ(last->ended().images_failed(), 1u);
}

TEST_F(JobStateTest, WhatFailedUnderAnotherWorkerFailsTheJobToo) {
  state_->FailImage(0, absl::InternalError("not finite"));
  state_ = nullptr;
  state_ = std::make_unique<JobState>(queue_.Take({}), nullptr, clock_,
                                      metrics_.ForModel("tiny"));
  state_->FailImage(1, absl::InternalError("neither"));
  std::optional<v1::JobEvent> last;
  while (auto event = events_->Take()) last = std::move(event);
  EXPECT_EQ(last->ended().state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(last->ended().images_failed(), 2u);
}

// None was told of: which are the best is not known.
TEST_F(JobStateTest, TheNextWorkerDrawsAgainWhatWasToBeChosenFrom) {
  Begin(/*draw=*/3);
  state_->PostImage(ImageOf(0, /*score=*/1), absl::Seconds(1));
  state_ = nullptr;
  state_ = std::make_unique<JobState>(queue_.Take({}), nullptr, clock_,
                                      metrics_.ForModel("tiny"));
  EXPECT_TRUE(state_->Wanted(0));
}

TEST_F(JobStateTest, OneBadImageLosesOne) {
  Next();
  state_->FailImage(0, absl::InternalError("not finite"));
  const v1::JobEvent failed = Next();
  EXPECT_EQ(failed.image_failed().image_index(), 0u);
  EXPECT_EQ(failed.image_failed().status().message(), "not finite");
  state_->StepDone({.image_index = 0});
  state_->PostPreview(0, 1, {});
  state_->FailImage(0, absl::InternalError("again"));
  state_->PostImage(ImageOf(1), absl::ZeroDuration());
  EXPECT_TRUE(Next().has_image()) << "what comes for a failed image is ignored";
  const v1::Ended ended = Next().ended();
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.images_failed(), 1u);
}

TEST_F(JobStateTest, FailsIfNoImageCame) {
  Next();
  state_->FailImage(1, absl::InternalError("first"));
  state_->FailImage(0, absl::InternalError("second"));
  Next();
  Next();
  const v1::Ended ended = Next().ended();
  EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(StatusOf(ended), StatusIs(absl::StatusCode::kInternal, "first"));
  EXPECT_EQ(metrics_.ForModel("tiny").jobs_failed.Value(), 1);
}

TEST_F(JobStateTest, WithBestOfTellsTheBestOnceAllAreDrawn) {
  Begin(/*draw=*/4);
  Next();
  state_->PostImage(ImageOf(0, 21), absl::ZeroDuration());
  state_->PostImage(ImageOf(1, 30), absl::ZeroDuration());
  state_->FailImage(2, absl::InternalError("not finite"));
  EXPECT_FALSE(Next().has_image()) << "another may be better";
  state_->PostImage(ImageOf(3, 25), absl::ZeroDuration());
  const v1::Image first = Next().image();
  EXPECT_EQ(first.image_index(), 0u);
  EXPECT_EQ(first.score(), 30);
  EXPECT_EQ(first.seed(), 2u);
  const v1::Image second = Next().image();
  EXPECT_EQ(second.image_index(), 1u);
  EXPECT_EQ(second.score(), 25);
  const v1::Ended ended = Next().ended();
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.images_failed(), 0u) << "enough came";
}

TEST_F(JobStateTest, WhereTooFewCameBestOfTellsWhy) {
  Begin(/*draw=*/3);
  Next();
  state_->FailImage(0, absl::InternalError("not finite"));
  state_->FailImage(1, absl::InternalError("not finite"));
  v1::ImageWithheld withheld;
  withheld.set_image_index(2);
  withheld.set_safety("nsfw");
  state_->WithholdImage(withheld, absl::ZeroDuration());
  const v1::ImageWithheld told = Next().image_withheld();
  EXPECT_EQ(told.safety(), "nsfw");
  EXPECT_EQ(told.image_index(), 0u);
  EXPECT_EQ(Next().image_failed().image_index(), 1u);
  EXPECT_EQ(Next().ended().images_failed(), 1u);
}

TEST_F(JobStateTest, AWithheldImageIsNoFailure) {
  Next();
  for (uint32_t i = 0; i < 2; ++i) {
    v1::ImageWithheld withheld;
    withheld.set_image_index(i);
    state_->WithholdImage(withheld, absl::ZeroDuration());
    EXPECT_TRUE(Next().has_image_withheld());
  }
  EXPECT_EQ(Next().ended().state(), v1::JOB_STATE_SUCCEEDED);
  const ModelMetrics& figures = metrics_.ForModel("tiny");
  EXPECT_EQ(figures.jobs_filtered.Value(), 1);
  EXPECT_EQ(figures.jobs_succeeded.Value(), 0);
}

TEST_F(JobStateTest, ABlurredPictureCountsAsFilteredAMarkedOneDoesNot) {
  for (const auto policy : {v1::SAFETY_POLICY_MARK, v1::SAFETY_POLICY_BLUR}) {
    Begin(/*draw=*/0, policy);
    v1::Image unsafe = ImageOf(0);
    unsafe.set_safety("nsfw");
    state_->PostImage(unsafe, absl::Seconds(3), /*writing=*/absl::Seconds(1));
    state_->PostImage(ImageOf(1), absl::ZeroDuration());
  }
  const ModelMetrics& figures = metrics_.ForModel("tiny");
  EXPECT_EQ(figures.jobs_filtered.Value(), 1);
  EXPECT_EQ(figures.jobs_succeeded.Value(), 1);
  EXPECT_EQ(figures.encode_image_seconds.Collect().histogram.sample_sum, 2);
}

TEST_F(JobStateTest, ExpiresPastItsDeadline) {
  Next();
  EXPECT_TRUE(state_->Wanted());
  clock_.Advance(absl::Seconds(60));
  EXPECT_FALSE(state_->Wanted());
  EXPECT_EQ(Next().ended().state(), v1::JOB_STATE_EXPIRED);
}

TEST_F(JobStateTest, AJobThatIsAnothersByNowIsNotWanted) {
  EXPECT_TRUE(state_->Wanted());
  EXPECT_TRUE(Next().has_started());
  const ModelMetrics& figures = metrics_.ForModel("tiny");
  EXPECT_EQ(figures.jobs_running.Value(), 1);
  lost_ = true;
  EXPECT_FALSE(state_->Wanted());
  EXPECT_FALSE(state_->Wanted(1));
  EXPECT_EQ(figures.jobs_running.Value(), 0) << "not here";
  state_->PostImage(ImageOf(0), absl::ZeroDuration());
  EXPECT_FALSE(events_->Take().has_value()) << "the other one tells";
  state_ = nullptr;
  EXPECT_EQ(figures.jobs_running.Value(), 0) << "counted down once";
}

TEST_F(JobStateTest, TellsACancelFromAServerThatStops) {
  Next();
  queue_.CancelAll();
  EXPECT_FALSE(state_->Wanted());
  const v1::Ended ended = Next().ended();
  EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ErrorReason(StatusOf(ended)), "DRAINING");
}

TEST_F(JobStateTest, EndsOnceFromTwoThreads) {
  Next();
  const auto finish = [this] {
    state_->PostImage(ImageOf(0), absl::ZeroDuration());
    state_->Fail(absl::InternalError("no"));
  };
  std::thread other(finish);
  finish();
  other.join();
  int ends = 0;
  while (const auto event = events_->Take()) ends += event->has_ended() ? 1 : 0;
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(metrics_.ForModel("tiny").jobs_failed.Value(), 1);
  EXPECT_EQ(metrics_.ForModel("tiny").jobs_running.Value(), 0);
}

}  // namespace
}  // namespace genzo
