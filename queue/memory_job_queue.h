#ifndef GENZO_QUEUE_MEMORY_JOB_QUEUE_H_
#define GENZO_QUEUE_MEMORY_JOB_QUEUE_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "queue/fair_queue.h"
#include "queue/job_demand.h"
#include "queue/job_queue.h"
#include "queue/pool_load.h"

namespace genzo {

class QueuedJob;

// JobQueue within one process. Jobs die with the process.
class MemoryJobQueue : public JobQueue {
 public:
  // `capacity` jobs may wait, shared as TenantsWithEnough() does. `load`
  // predicts and hears of every job. `clock`, `metrics` and `load` outlive the
  // queue. Of several queues one tells the metrics its oldest job's age.
  MemoryJobQueue(int capacity, const Clock& clock, Metrics& metrics,
                 PoolLoad& load, bool tells_age = true);

  absl::Status Submit(internal::v1::Job job,
                      std::shared_ptr<EventSink> events) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Readmit(internal::v1::Job job,
                       std::shared_ptr<EventSink> events) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Expire() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel(const std::string& job_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<JobLease> TryTake(const TakeRules& rules) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<JobLease> Take(const TakeRules& rules) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AwaitNudge() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Nudge() override ABSL_LOCKS_EXCLUDED(mutex_);
  bool Done() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);
  void CancelAll() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Lease;

  // Then tells positions, if any of them waited.
  void CancelEach(const std::vector<std::string>& job_ids,
                  const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it waited.
  bool CancelWith(const std::string& job_id, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<JobLease> TakeLocked(const TakeRules& rules)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What `demand` hears if it is refused, going by `predicted` if anybody
  // knows.
  absl::Status AdmitLocked(const JobDemand& demand,
                           std::optional<absl::Duration> predicted) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds a job that is admitted, with what is predicted of it.
  absl::Status AddLocked(const std::shared_ptr<QueuedJob>& entry,
                         const std::optional<JobPrediction>& predicted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds `entry` to those that wait.
  void WaitLocked(const QueuedJob& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After `entry` was removed from those that wait.
  void LeftLocked(const QueuedJob& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateOldestLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ModelMetrics& MetricsOf(const QueuedJob& entry);
  prometheus::Gauge& DepthOf(const QueuedJob& entry);
  void PostPositions() ABSL_LOCKS_EXCLUDED(mutex_);
  // The job ended.
  void Forget(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // A lease was dropped: the job waits again, if it may. False if it must end.
  bool PutBack(const std::shared_ptr<QueuedJob>& entry)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const int capacity_;
  const Clock& clock_;
  Metrics& metrics_;
  PoolLoad& load_;
  const bool tells_age_;
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  FairQueue waiting_ ABSL_GUARDED_BY(mutex_);
  std::multiset<absl::Time> accepted_
      ABSL_GUARDED_BY(mutex_);  // of those that wait
  int64_t nudges_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::thread::id, int64_t> nudges_seen_
      ABSL_GUARDED_BY(mutex_);
  // Waiting and leased jobs.
  absl::flat_hash_map<std::string, std::shared_ptr<QueuedJob>> jobs_
      ABSL_GUARDED_BY(mutex_);
  // Mean time between two jobs leaving a queue that others waited in.
  absl::Duration mean_interval_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(1);
  absl::Time last_taken_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace genzo

#endif  // GENZO_QUEUE_MEMORY_JOB_QUEUE_H_
