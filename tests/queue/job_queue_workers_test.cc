// What workers ask of a queue: leases, and waiting for them.

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/queue/job_queue_fixture.h"

namespace genzo {
namespace {

using v1::JobEvent;

// A thread that is known to wait, as the work that it was given is all that can
// keep it.
class WaitingThread {
 public:
  explicit WaitingThread(std::function<void()> work)
      : thread_([this, work = std::move(work)] {
          id_ = gettid();
          begun_.Notify();
          work();
        }) {}

  // Returns once it sleeps, or is through without.
  void AwaitAsleep() {
    begun_.WaitForNotification();
    const std::string path = absl::StrCat("/proc/self/task/", id_, "/stat");
    while (true) {
      std::string stat;
      if (!std::getline(std::ifstream(path), stat)) return;  // it has gone
      // "17 (name) S ...", or Z once it is through.
      const char state = stat[stat.rfind(')') + 2];
      if (state != 'R') return;
      std::this_thread::yield();
    }
  }
  void Join() { thread_.join(); }

 private:
  pid_t id_ = 0;
  absl::Notification begun_;
  std::thread thread_;  // last: uses the rest
};

class JobQueueWorkersTest : public JobQueueTest {};

TEST_P(JobQueueWorkersTest, HandsJobsOutInOrder) {
  Submit("a");
  Submit("b");
  const auto first = queue_.Take({});
  const auto second = queue_.TryTake({});
  EXPECT_EQ(first->job().id(), "a");
  EXPECT_EQ(second->job().id(), "b");
  EXPECT_EQ(queue_.TryTake({}), nullptr);
}

TEST_P(JobQueueWorkersTest, ACancelWakesAWorkerThatWaits) {
  Submit("a");
  const auto lease = queue_.Take({});
  queue_.Cancel("a");
  EXPECT_EQ(queue_.Take({}), nullptr) << "comes back without a job";
  EXPECT_TRUE(lease->cancelled());
}

TEST_P(JobQueueWorkersTest, ANudgeEndsOneWait) {
  queue_.Nudge();
  EXPECT_EQ(queue_.Take({}), nullptr);
  Submit("a");
  EXPECT_NE(queue_.Take({}), nullptr);
}

TEST_P(JobQueueWorkersTest, NothingButANudgeEndsAwaitNudge) {
  std::atomic<bool> nudged = false;
  WaitingThread worker([&] {
    queue_.Nudge();
    queue_.AwaitNudge();
    queue_.AwaitNudge();
    EXPECT_TRUE(nudged) << "the one before was seen, jobs are no news";
  });
  worker.AwaitAsleep();
  Submit("a");
  queue_.Close();
  worker.AwaitAsleep();
  nudged = true;
  queue_.Nudge();
  worker.Join();
}

TEST_P(JobQueueWorkersTest, ADroppedLeaseIsHandedToTheNextWorkerWithItsState) {
  const auto mailbox = Submit("a");
  {
    const auto first = queue_.Take({});
    EXPECT_EQ(first->attempt(), 1);
    EXPECT_EQ(first->checkpoint(), "");
    EXPECT_TRUE(first->Renew());
    first->Post(v1::JobEvent());
    first->Checkpoint("step 3");
    first->Checkpoint("step 6");
  }
  const auto second = queue_.TryTake({});
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->job().id(), "a");
  EXPECT_EQ(second->attempt(), 2);
  EXPECT_EQ(second->checkpoint(), "step 6");
  second->End(EndedBy(absl::OkStatus()));
  uint64_t sequence = 0;
  std::optional<JobEvent> last;
  while (auto event = mailbox->Take()) {
    EXPECT_GT(event->sequence(), sequence);
    sequence = event->sequence();
    last = std::move(event);
  }
  EXPECT_TRUE(last->has_ended());
}

TEST_P(JobQueueWorkersTest, AJobThatLosesTwoWorkersIsLost) {
  const auto mailbox = Submit("a");
  for (int i = 0; i < JobLease::kMostAttempts; ++i) queue_.Take({}).reset();
  EXPECT_EQ(queue_.TryTake({}), nullptr);
  std::optional<JobEvent> last;
  while (auto event = mailbox->Take()) last = std::move(event);
  EXPECT_EQ(ErrorReason(FromRpcStatus(last->ended().status())), "JOB_LOST");
}

TEST_P(JobQueueWorkersTest, ADroppedLeaseOfACancelledJobEndsIt) {
  const auto mailbox = Submit("a");
  auto lease = queue_.Take({});
  queue_.Cancel("a");
  lease.reset();
  EXPECT_EQ(queue_.TryTake({}), nullptr);
  mailbox->Take();
  EXPECT_EQ(ErrorReason(FromRpcStatus(mailbox->Take()->ended().status())),
            "CANCELLED");
}

TEST_P(JobQueueWorkersTest, ADroppedLeaseOfAClosedQueueIsLost) {
  const auto mailbox = Submit("a");
  auto lease = queue_.Take({});
  queue_.Close();
  lease.reset();
  EXPECT_TRUE(queue_.Done());
  mailbox->Take();
  EXPECT_EQ(ErrorReason(FromRpcStatus(mailbox->Take()->ended().status())),
            "JOB_LOST");
}

TEST_P(JobQueueWorkersTest, AnEndedLeaseHoldsNothing) {
  Submit("a");
  auto lease = queue_.Take({});
  lease->End(EndedBy(absl::OkStatus()));
  EXPECT_FALSE(lease->Renew());
  lease->Checkpoint("too late");
  lease.reset();
  EXPECT_EQ(queue_.TryTake({}), nullptr) << "it is not put back";
  Submit("a");
  EXPECT_THAT(last_status_, IsOk()) << "its id is free";
  EXPECT_EQ(queue_.TryTake({})->checkpoint(), "");
}

TEST_P(JobQueueWorkersTest, AJobThatIsPutBackWaitsInForecastsToo) {
  KnowTheSpeed();
  Submit("a");
  auto lease = queue_.Take({});
  load_.backlog().Start("a", 0, absl::Seconds(1));
  load_.backlog().StepsLeft("a", 0, 1);
  lease.reset();
  EXPECT_EQ(load_.PredictAll(clock_.Now()).at("a"), absl::Seconds(9));
}

TEST_P(JobQueueWorkersTest, ACompletedJobIsNotLost) {
  const auto mailbox = Submit("a");
  const auto lease = queue_.Take({});
  lease->End(EndedBy(absl::OkStatus()));
  lease->Fail(absl::InternalError("too late"));
  mailbox->Take();
  EXPECT_TRUE(mailbox->Take()->has_ended());
  EXPECT_FALSE(mailbox->Take().has_value());
}

TEST_P(JobQueueWorkersTest, ClosedItDrains) {
  Submit("a");
  queue_.Close();
  Submit("b");
  EXPECT_EQ(ErrorReason(last_status_), "DRAINING");
  EXPECT_EQ(queue_.Take({})->job().id(), "a");
  EXPECT_EQ(queue_.Take({}), nullptr);
}

TEST_P(JobQueueWorkersTest, TakeWaitsForAJob) {
  std::unique_ptr<JobLease> lease;
  WaitingThread worker([&] { lease = queue_.Take({}); });
  worker.AwaitAsleep();
  Submit("a");
  worker.Join();
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->job().id(), "a");
  lease->End(EndedBy(absl::OkStatus()));
}

TEST_P(JobQueueWorkersTest, CloseWakesAWaitingWorker) {
  std::atomic<bool> closed = false;
  WaitingThread worker([&] {
    EXPECT_EQ(queue_.Take({}), nullptr);
    EXPECT_TRUE(closed) << "it waited";
  });
  worker.AwaitAsleep();
  closed = true;
  queue_.Close();
  worker.Join();
}

// Under AddressSanitizer: what one waits by may not move when another comes.
TEST_P(JobQueueWorkersTest, ManyWorkersMayWait) {
  std::vector<std::unique_ptr<WaitingThread>> workers;
  std::atomic<bool> closed = false;
  for (int i = 0; i < 32; ++i) {
    workers.push_back(std::make_unique<WaitingThread>([&] {
      EXPECT_EQ(queue_.Take({}), nullptr);
      EXPECT_TRUE(closed) << "it waited";
    }));
    workers.back()->AwaitAsleep();
  }
  closed = true;
  queue_.Close();
  for (const auto& worker : workers) worker->Join();
}

INSTANTIATE_TEST_SUITE_P(Every, JobQueueWorkersTest, kEveryQueue, QueueName);

}  // namespace
}  // namespace genzo
