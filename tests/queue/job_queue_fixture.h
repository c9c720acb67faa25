#ifndef GENZO_TESTS_QUEUE_JOB_QUEUE_FIXTURE_H_
#define GENZO_TESTS_QUEUE_JOB_QUEUE_FIXTURE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/errors.h"
#include "base/proto_time.h"
#include "queue/memory_job_queue.h"
#include "queue/split_job_queue.h"
#include "tests/testing/event_record.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {

using internal::v1::Job;

// What every queue promises, whichever it is.
struct QueueParts {
  int capacity;
  const Clock& clock;
  Metrics& metrics;
  PoolLoad& load;
};
using MakeQueue =
    std::function<std::unique_ptr<JobQueue>(const QueueParts& parts)>;

class JobQueueTest : public ::testing::TestWithParam<MakeQueue> {
 protected:
  // Two images' rows a step of one second, of one step each.
  void KnowTheSpeed() {
    load_.speeds().SetSpeed(0, "tiny",
                            {.costs = StepCosts({{2, absl::Seconds(1)}}),
                             .own_pixels = 1,
                             .largest_batch = 2,
                             .decode = absl::ZeroDuration()});
  }

  Job MakeJob(const std::string& id, const std::string& tenant = "",
              int steps = 9) {
    Job job;
    job.set_id(id);
    job.set_tenant(tenant);
    job.set_rows_per_image(2);
    job.mutable_request()->set_model("tiny");
    job.mutable_request()->set_width(1);
    job.mutable_request()->set_height(1);
    job.mutable_request()->set_steps(steps);
    job.mutable_request()->set_image_count(1);
    *job.mutable_accepted_at() = ToProto(clock_.Date());
    return job;
  }

  std::shared_ptr<EventRecord> Submit(const Job& job) {
    auto mailbox = std::make_shared<EventRecord>();
    last_status_ = queue_.Submit(job, mailbox);
    return mailbox;
  }
  std::shared_ptr<EventRecord> Submit(const std::string& id,
                                      const std::string& tenant = "") {
    return Submit(MakeJob(id, tenant));
  }

  FakeClock clock_;
  Metrics metrics_;
  PoolLoad load_;
  const std::unique_ptr<JobQueue> made_ =
      GetParam()({/*capacity=*/2, clock_, metrics_, load_});
  JobQueue& queue_ = *made_;
  absl::Status last_status_;
};

// All jobs of the suites are to be painted.
struct TwoQueues {
  explicit TwoQueues(const QueueParts& parts)
      : painting(parts.capacity, parts.clock, parts.metrics, parts.load),
        upscaling(parts.capacity, parts.clock, parts.metrics, parts.load,
                  /*tells_age=*/false) {}

  MemoryJobQueue painting;
  MemoryJobQueue upscaling;
};
class TwoAsOne : private TwoQueues, public SplitJobQueue {
 public:
  explicit TwoAsOne(const QueueParts& parts)
      : TwoQueues(parts), SplitJobQueue(painting, upscaling) {}
};

// Of all queues; a new one is one more here.
inline const auto kEveryQueue = ::testing::Values(
    [](const QueueParts& parts) -> std::unique_ptr<JobQueue> {
      return std::make_unique<MemoryJobQueue>(parts.capacity, parts.clock,
                                              parts.metrics, parts.load);
    },
    [](const QueueParts& parts) -> std::unique_ptr<JobQueue> {
      return std::make_unique<TwoAsOne>(parts);
    });

// Of kEveryQueue.
inline std::string QueueName(const ::testing::TestParamInfo<MakeQueue>& info) {
  return info.index == 0 ? "Memory" : "Split";
}

}  // namespace genzo

#endif  // GENZO_TESTS_QUEUE_JOB_QUEUE_FIXTURE_H_
