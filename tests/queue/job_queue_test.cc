// What front ends ask of a queue.

#include "tests/queue/job_queue_fixture.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using v1::JobEvent;

TEST_P(JobQueueTest, CountsWhatWaits) {
  const ModelMetrics& figures = metrics_.ForModel("tiny");
  Submit("a");
  Submit("b");
  EXPECT_EQ(figures.Queued(), 2);
  EXPECT_GT(figures.queue_cost.Value(), 0);
  const auto lease = queue_.Take({});
  EXPECT_EQ(figures.Queued(), 1);
  queue_.Cancel("b");
  EXPECT_EQ(figures.Queued(), 0);
  EXPECT_EQ(figures.queue_cost.Value(), 0);
  EXPECT_GT(figures.steps_saved.Value(), 0);
}

TEST_P(JobQueueTest, CountsWhatWaitsByPriority) {
  const ModelMetrics& figures = metrics_.ForModel("tiny");
  const auto depths = [&figures] {
    std::vector<double> depths;
    for (const auto* depth : figures.queue_depth) {
      depths.push_back(depth->Value());
    }
    return depths;
  };
  for (const v1::Priority priority : {v1::PRIORITY_HIGH, v1::PRIORITY_LOW}) {
    Job job = MakeJob(v1::Priority_Name(priority));
    job.mutable_request()->set_priority(priority);
    Submit(job);
  }
  EXPECT_THAT(depths(), ElementsAre(1, 0, 1)) << "low, normal, high";
  const auto lease = queue_.Take({});
  EXPECT_EQ(lease->job().id(), "PRIORITY_HIGH");
  EXPECT_THAT(depths(), ElementsAre(1, 0, 0));
  queue_.Cancel("PRIORITY_LOW");
  EXPECT_THAT(depths(), ElementsAre(0, 0, 0));
}

TEST_P(JobQueueTest, RefusesWhatWouldMissItsDeadline) {
  KnowTheSpeed();
  Job job = MakeJob("a");
  *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(8));
  const auto refused = Submit(job);
  EXPECT_EQ(last_status_.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(last_status_), "DEADLINE_UNREACHABLE");
  EXPECT_FALSE(refused->Take().has_value());
  *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(10));
  const auto mailbox = Submit(job);
  EXPECT_THAT(last_status_, IsOk());
  EXPECT_EQ(FromProto(mailbox->Take()->queued().time_left()), absl::Seconds(9));
  job.set_id("b");
  *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(17));
  Submit(job);
  EXPECT_EQ(last_status_.code(), absl::StatusCode::kResourceExhausted)
      << "behind the other";
  EXPECT_GT(RetryAfter(last_status_), absl::ZeroDuration());
}

TEST_P(JobQueueTest, ForecastsForgetACancelledJobAtOnce) {
  KnowTheSpeed();
  Job urgent = MakeJob("long", "", /*steps=*/1000);
  *urgent.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(1000));
  Submit(urgent);
  const auto lease = queue_.Take({});
  Job job = MakeJob("a");
  *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(10));
  Submit(job);
  EXPECT_EQ(ErrorReason(last_status_), "DEADLINE_UNREACHABLE");
  queue_.Cancel("long");
  Submit(job);
  EXPECT_THAT(last_status_, IsOk()) << "its worker has not even noticed";
}

TEST_P(JobQueueTest, ADeadlineIsAMomentOfTheDate) {
  KnowTheSpeed();
  clock_.SetDateForward(absl::Hours(1));
  Job job = MakeJob("a");
  *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(10));
  Submit(job);
  EXPECT_THAT(last_status_, IsOk());
  const auto lease = queue_.Take({});
  EXPECT_EQ(FromProto(lease->job().predicted_finish()),
            clock_.Date() + absl::Seconds(9));
}

TEST_P(JobQueueTest, AFullQueueRefusesBeforeAnyPrediction) {
  KnowTheSpeed();
  Submit("a");
  Submit("b");
  Job job = MakeJob("c");
  *job.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(1));
  Submit(job);
  EXPECT_EQ(ErrorReason(last_status_), "QUEUE_FULL");
  queue_.Close();
  Submit(job);
  EXPECT_EQ(ErrorReason(last_status_), "DRAINING");
}

TEST_P(JobQueueTest, PriorityOrdersATenantsJobs) {
  Submit("normal");
  Job high = MakeJob("high");
  high.mutable_request()->set_priority(v1::PRIORITY_HIGH);
  Submit(high);
  EXPECT_EQ(queue_.Take({})->job().id(), "high");
}

TEST_P(JobQueueTest, TheSameIdTwiceIsRefused) {
  Submit("a");
  const auto again = Submit("a");
  EXPECT_EQ(last_status_.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(again->Take().has_value());
}

TEST_P(JobQueueTest, TellsThePlaceAndItsChanges) {
  Submit("a");
  const auto mailbox = Submit("b");
  EXPECT_EQ(mailbox->Take()->queued().position(), 1u);
  const auto lease = queue_.Take({});
  EXPECT_EQ(mailbox->Take()->queued().position(), 0u);
}

TEST_P(JobQueueTest, AFloodLeavesRoomForOthers) {
  Submit("a");
  Submit("b");
  Submit("c", "light");
  EXPECT_THAT(last_status_, IsOk());
  Submit("d", "light");
  EXPECT_EQ(ErrorReason(last_status_), "QUEUE_FULL") << "it has its share";
}

TEST_P(JobQueueTest, RefusesMoreThanItsCapacity) {
  Submit("a");
  Submit("b");
  const auto mailbox = Submit("c");
  EXPECT_THAT(last_status_,
              StatusIs(absl::StatusCode::kUnavailable, "the limit is 2"));
  EXPECT_EQ(ErrorReason(last_status_), "QUEUE_FULL");
  EXPECT_GE(RetryAfter(last_status_), absl::Seconds(1));
  EXPECT_FALSE(mailbox->Take().has_value());
}

TEST_P(JobQueueTest, AJobThatWasAcceptedBeforeHasItsPlace) {
  KnowTheSpeed();
  Submit("a");
  Submit("b");
  Job late = MakeJob("late");
  *late.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(1));
  for (const Job& job : {MakeJob("c"), MakeJob("d"), MakeJob("e"), late}) {
    const auto mailbox = std::make_shared<EventRecord>();
    EXPECT_THAT(queue_.Readmit(job, mailbox), IsOk());
    EXPECT_TRUE(mailbox->Take()->has_queued());
  }
  EXPECT_EQ(queue_.Readmit(late, std::make_shared<EventRecord>()).code(),
            absl::StatusCode::kAlreadyExists);
  Submit("new");
  EXPECT_EQ(ErrorReason(last_status_), "QUEUE_FULL")
      << "new ones wait for room";
  for (const char* id : {"late", "a", "b", "c", "d", "e"}) {
    const auto lease = queue_.Take({});
    EXPECT_EQ(lease->job().id(), id);
    lease->End(EndedBy(absl::OkStatus()));
  }
  queue_.Close();
  EXPECT_EQ(ErrorReason(
                queue_.Readmit(MakeJob("f"), std::make_shared<EventRecord>())),
            "DRAINING");
}

TEST_P(JobQueueTest, HintsAtTheMeasuredRate) {
  for (int i = 0; i < 40; ++i) {
    Submit("a" + std::to_string(i));
    Submit("b" + std::to_string(i));
    clock_.Advance(absl::Seconds(10));
    queue_.Take({})->End(EndedBy(absl::OkStatus()));
    clock_.Advance(absl::Seconds(10));
    queue_.Take({})->End(EndedBy(absl::OkStatus()));
  }
  Submit("x");
  Submit("y");
  Submit("z");
  EXPECT_GT(RetryAfter(last_status_), absl::Seconds(5));
}

TEST_P(JobQueueTest, NumbersEventsAndNamesTheJob) {
  const auto mailbox = Submit("a");
  const auto lease = queue_.Take({});
  lease->Post(v1::JobEvent());
  EXPECT_EQ(mailbox->Take()->sequence(), 1u);
  const auto second = mailbox->Take();
  EXPECT_EQ(second->sequence(), 2u);
  EXPECT_EQ(second->job_id(), "a");
}

TEST_P(JobQueueTest, CancelRemovesAWaitingJob) {
  Submit("a");
  const auto mailbox = Submit("b");
  queue_.Cancel("b");
  mailbox->Take();
  EXPECT_EQ(mailbox->Take()->ended().status().code(),
            static_cast<int>(absl::StatusCode::kCancelled));
  const auto lease = queue_.Take({});
  EXPECT_EQ(lease->job().id(), "a");
  EXPECT_EQ(queue_.TryTake({}), nullptr);
}

TEST_P(JobQueueTest, CancelMarksALeasedJob) {
  Submit("a");
  const auto lease = queue_.Take({});
  EXPECT_FALSE(lease->cancelled());
  queue_.Cancel("a");
  EXPECT_TRUE(lease->cancelled());
}

TEST_P(JobQueueTest, IgnoresCancelsOfUnknownJobs) {
  const auto mailbox = Submit("a");
  queue_.Cancel("nobody");
  auto lease = queue_.TryTake({});
  ASSERT_NE(lease, nullptr);
  EXPECT_FALSE(lease->cancelled());
  lease->End(EndedBy(absl::OkStatus()));
  lease.reset();
  queue_.Cancel("a");
  std::optional<JobEvent> last;
  while (auto event = mailbox->Take()) last = std::move(event);
  EXPECT_EQ(last->ended().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(metrics_.ForModel("tiny").steps_saved.Value(), 0);
}

TEST_P(JobQueueTest, CancelAllReachesWaitingAndLeased) {
  Submit("a");
  const auto lease = queue_.Take({});
  const auto waiting = Submit("b");
  queue_.CancelAll();
  EXPECT_TRUE(lease->cancelled());
  waiting->Take();
  EXPECT_TRUE(waiting->Take()->has_ended());
}

TEST_P(JobQueueTest, ExpireEndsWhatWaitsPastItsDeadline) {
  Job late = MakeJob("late");
  *late.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(1000));
  Job leased = MakeJob("leased");
  *leased.mutable_deadline() = late.deadline();
  Submit(leased);
  const auto lease = queue_.Take({});
  const auto mailbox = Submit(late);
  const auto patient = Submit("patient");
  queue_.Expire();
  mailbox->Take();
  EXPECT_FALSE(mailbox->Take().has_value()) << "not late yet";
  clock_.Advance(absl::Seconds(1001));
  queue_.Expire();
  const auto end = mailbox->Take();
  ASSERT_TRUE(end.has_value() && end->has_ended());
  EXPECT_EQ(end->ended().state(), v1::JOB_STATE_EXPIRED);
  EXPECT_TRUE(lease->cancelled());
  EXPECT_EQ(ErrorReason(lease->CancelStatus()), "DEADLINE_EXCEEDED");
  EXPECT_EQ(queue_.TryTake({})->job().id(), "patient");
}

TEST_P(JobQueueTest, PredictionsLearnFromWhatWasTooLate) {
  KnowTheSpeed();
  Job late = MakeJob("late", "t");
  *late.mutable_deadline() = ToProto(clock_.Date() + absl::Seconds(1000));
  Submit(late);
  clock_.Advance(absl::Seconds(1001));
  queue_.Expire();
  EXPECT_GT(load_.Lateness(clock_.Now())["t"], 1);
}

INSTANTIATE_TEST_SUITE_P(Every, JobQueueTest, kEveryQueue, QueueName);

}  // namespace
}  // namespace genzo
