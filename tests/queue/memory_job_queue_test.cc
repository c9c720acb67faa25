#include "queue/memory_job_queue.h"

#include <thread>

#include "base/errors.h"
#include "base/proto_time.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using internal::v1::Job;
using internal::v1::JobEvent;

class MemoryJobQueueTest : public ::testing::Test {
 protected:
  std::shared_ptr<EventMailbox> Submit(const std::string& id,
                                       const std::string& tenant = "") {
    Job job;
    job.set_id(id);
    job.mutable_request()->set_model("tiny");
    job.set_tenant(tenant);
    auto mailbox = std::make_shared<EventMailbox>();
    last_status_ = queue_.Submit(job, mailbox);
    return mailbox;
  }

  FakeClock clock_;
  Metrics metrics_;
  LoadBoard board_;
  MemoryJobQueue queue_{/*capacity=*/2, clock_, metrics_, board_};
  absl::Status last_status_;
};

TEST_F(MemoryJobQueueTest, HandsJobsOutInOrder) {
  Submit("a");
  Submit("b");
  EXPECT_EQ(queue_.Take({})->job().id(), "a");
  EXPECT_EQ(queue_.TryTake({})->job().id(), "b");
  EXPECT_EQ(queue_.TryTake({}), nullptr);
}

TEST_F(MemoryJobQueueTest, CountsWhatWaits) {
  const auto& depth = metrics_.ForModel("tiny").queue_depth;
  Submit("a");
  Submit("b");
  EXPECT_EQ(depth.Value(), 2);
  const auto lease = queue_.Take({});
  EXPECT_EQ(depth.Value(), 1);
  queue_.Cancel("b");
  EXPECT_EQ(depth.Value(), 0);
}

TEST_F(MemoryJobQueueTest, ACancelWakesAWorkerThatWaits) {
  Submit("a");
  const auto lease = queue_.Take({});
  queue_.Cancel("a");
  EXPECT_EQ(queue_.Take({}), nullptr) << "comes back without a job";
  EXPECT_TRUE(lease->cancelled());
}

TEST_F(MemoryJobQueueTest, ANudgeEndsOneWait) {
  queue_.Nudge();
  EXPECT_EQ(queue_.Take({}), nullptr);
  Submit("a");
  EXPECT_NE(queue_.Take({}), nullptr);
}

TEST_F(MemoryJobQueueTest, RefusesWhatWouldMissItsDeadline) {
  board_.SetSpeed("tiny", {.costs = StepCosts({{2, absl::Seconds(1)}}),
                           .own_pixels = 1,
                           .largest_batch = 2,
                           .decode = absl::ZeroDuration()});
  Job job;
  job.set_id("a");
  job.mutable_request()->set_model("tiny");
  job.mutable_request()->set_width(1);
  job.mutable_request()->set_height(1);
  job.mutable_request()->set_steps(9);
  job.mutable_request()->set_image_count(1);
  job.mutable_request()->set_guidance_scale(7.5);
  *job.mutable_accepted_at() = ToProto(clock_.Now());
  *job.mutable_deadline() = ToProto(clock_.Now() + absl::Seconds(8));
  const auto mailbox = std::make_shared<EventMailbox>();
  EXPECT_EQ(ErrorReason(queue_.Submit(job, mailbox)), "DEADLINE_UNREACHABLE");
  EXPECT_FALSE(mailbox->Take().has_value());
  *job.mutable_deadline() = ToProto(clock_.Now() + absl::Seconds(10));
  EXPECT_THAT(queue_.Submit(job, mailbox), IsOk());
  EXPECT_EQ(FromProto(mailbox->Take()->response().queued().time_left()),
            absl::Seconds(9));
}

TEST_F(MemoryJobQueueTest, TellsThePlaceAndItsChanges) {
  Submit("a");
  const auto mailbox = Submit("b");
  EXPECT_EQ(mailbox->Take()->response().queued().position(), 1u);
  const auto lease = queue_.Take({});
  EXPECT_EQ(mailbox->Take()->response().queued().position(), 0u);
}

TEST_F(MemoryJobQueueTest, AFloodLeavesRoomForOthers) {
  Submit("a");
  Submit("b");
  Submit("c", "light");
  EXPECT_THAT(last_status_, IsOk());
  Submit("d", "light");
  EXPECT_EQ(ErrorReason(last_status_), "QUEUE_FULL") << "it has its share";
}

TEST_F(MemoryJobQueueTest, RefusesMoreThanItsCapacity) {
  Submit("a");
  Submit("b");
  const auto mailbox = Submit("c");
  EXPECT_THAT(last_status_,
              StatusIs(absl::StatusCode::kUnavailable, "the limit is 2"));
  EXPECT_EQ(ErrorReason(last_status_), "QUEUE_FULL");
  EXPECT_GE(RetryAfter(last_status_), absl::Seconds(1));
  EXPECT_FALSE(mailbox->Take().has_value());
}

TEST_F(MemoryJobQueueTest, HintsAtTheMeasuredRate) {
  for (int i = 0; i < 40; ++i) {
    Submit("a" + std::to_string(i));
    Submit("b" + std::to_string(i));
    clock_.Advance(absl::Seconds(10));
    queue_.Take({});
    clock_.Advance(absl::Seconds(10));
    queue_.Take({});
  }
  Submit("x");
  Submit("y");
  Submit("z");
  EXPECT_GT(RetryAfter(last_status_), absl::Seconds(5));
}

TEST_F(MemoryJobQueueTest, NumbersEventsAndNamesTheJob) {
  const auto mailbox = Submit("a");
  const auto lease = queue_.Take({});
  lease->Post(v1::GenerateResponse());
  EXPECT_EQ(mailbox->Take()->response().sequence(), 1u);
  const auto second = mailbox->Take();
  EXPECT_EQ(second->response().sequence(), 2u);
  EXPECT_EQ(second->response().job_id(), "a");
}

TEST_F(MemoryJobQueueTest, CancelRemovesAWaitingJob) {
  Submit("a");
  const auto mailbox = Submit("b");
  queue_.Cancel("b");
  mailbox->Take();
  EXPECT_EQ(mailbox->Take()->failed().code(),
            static_cast<int>(absl::StatusCode::kCancelled));
  EXPECT_EQ(queue_.Take({})->job().id(), "a");
  EXPECT_EQ(queue_.TryTake({}), nullptr);
}

TEST_F(MemoryJobQueueTest, CancelMarksALeasedJob) {
  Submit("a");
  const auto lease = queue_.Take({});
  EXPECT_FALSE(lease->cancelled());
  queue_.Cancel("a");
  EXPECT_TRUE(lease->cancelled());
}

TEST_F(MemoryJobQueueTest, IgnoresCancelsOfUnknownJobs) {
  queue_.Cancel("nobody");
  Submit("a");
  queue_.Take({}).reset();
  queue_.Cancel("a");
}

TEST_F(MemoryJobQueueTest, ADroppedLeaseFailsItsJob) {
  const auto mailbox = Submit("a");
  queue_.Take({}).reset();
  mailbox->Take();
  const auto event = mailbox->Take();
  EXPECT_EQ(ErrorReason(FromRpcStatus(event->failed())), "JOB_LOST");
}

TEST_F(MemoryJobQueueTest, ACompletedJobIsNotLost) {
  const auto mailbox = Submit("a");
  const auto lease = queue_.Take({});
  lease->Complete(v1::Finished());
  lease->Fail(absl::InternalError("too late"));
  mailbox->Take();
  EXPECT_TRUE(mailbox->Take()->response().has_finished());
  EXPECT_FALSE(mailbox->Take().has_value());
}

TEST_F(MemoryJobQueueTest, ClosedItDrains) {
  Submit("a");
  queue_.Close();
  Submit("b");
  EXPECT_EQ(ErrorReason(last_status_), "DRAINING");
  EXPECT_EQ(queue_.Take({})->job().id(), "a");
  EXPECT_EQ(queue_.Take({}), nullptr);
}

TEST_F(MemoryJobQueueTest, TakeWaitsForAJob) {
  std::string taken;
  std::thread worker([&] { taken = queue_.Take({})->job().id(); });
  Submit("a");
  worker.join();
  EXPECT_EQ(taken, "a");
}

TEST_F(MemoryJobQueueTest, CloseWakesAWaitingWorker) {
  std::thread worker([&] { EXPECT_EQ(queue_.Take({}), nullptr); });
  queue_.Close();
  worker.join();
}

TEST_F(MemoryJobQueueTest, CancelAllReachesWaitingAndLeased) {
  Submit("a");
  const auto lease = queue_.Take({});
  const auto waiting = Submit("b");
  queue_.CancelAll();
  EXPECT_TRUE(lease->cancelled());
  waiting->Take();
  EXPECT_TRUE(waiting->Take()->has_failed());
}

}  // namespace
}  // namespace genzo
