#include "queue/memory_job_queue.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "queue/admission.h"

namespace genzo {
namespace {

using internal::v1::Job;
using internal::v1::JobEvent;

// Readers further back hear of their place when they come nearer.
constexpr size_t kPositionsTold = 100;

}  // namespace

// A job and the way back to its reader.
class MemoryJobQueue::Entry {
 public:
  Entry(Job job, std::shared_ptr<EventMailbox> events, absl::Time accepted)
      : job_(std::move(job)), events_(std::move(events)), accepted_(accepted) {}

  const Job& job() const { return job_; }
  absl::Time accepted() const { return accepted_; }
  void Cancel() { cancelled_ = true; }
  bool cancelled() const { return cancelled_; }

  void Post(v1::GenerateResponse response) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    PostLocked(std::move(response));
  }

  // Does nothing once a worker has the job: its place is history then.
  void PostPosition(size_t position, std::optional<absl::Duration> time_left)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (leased_) return;
    v1::GenerateResponse response;
    response.mutable_queued()->set_position(position);
    if (time_left.has_value()) {
      *response.mutable_queued()->mutable_time_left() = ToProto(*time_left);
    }
    PostLocked(std::move(response));
  }

  void MarkLeased() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    leased_ = true;
  }

  void Fail(const absl::Status& status) {
    JobEvent event;
    *event.mutable_failed() = ToRpcStatus(status);
    events_->Post(std::move(event));
  }

  int64_t dropped_previews() const { return events_->dropped_previews(); }

 private:
  // Posting under the lock keeps sequences in order in the mailbox.
  void PostLocked(v1::GenerateResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    response.set_job_id(job_.id());
    response.set_sequence(++sequence_);
    JobEvent event;
    *event.mutable_response() = std::move(response);
    events_->Post(std::move(event));
  }

  const Job job_;
  const std::shared_ptr<EventMailbox> events_;
  const absl::Time accepted_;
  std::atomic<bool> cancelled_{false};
  absl::Mutex mutex_;
  bool leased_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
};

class MemoryJobQueue::Lease : public JobLease {
 public:
  Lease(MemoryJobQueue& queue, std::shared_ptr<Entry> entry)
      : queue_(queue), entry_(std::move(entry)) {}

  ~Lease() override {
    entry_->Fail(
        ErrorWithReason(absl::StatusCode::kInternal, "JOB_LOST",
                        "the worker gave the job up without a result"));
    queue_.Forget(entry_->job().id());
    queue_.metrics_.previews_dropped().Increment(entry_->dropped_previews());
  }

  const Job& job() const override { return entry_->job(); }
  bool cancelled() const override { return entry_->cancelled(); }
  void Post(v1::GenerateResponse event) override {
    entry_->Post(std::move(event));
  }
  void Complete(v1::Finished finished) override {
    v1::GenerateResponse response;
    *response.mutable_finished() = std::move(finished);
    Learn();
    entry_->Post(std::move(response));
  }
  void Fail(const absl::Status& status) override {
    if (absl::IsDeadlineExceeded(status)) Learn();
    entry_->Fail(status);
  }

 private:
  void Learn() {
    queue_.board_.LearnFrom(entry_->job().id(), queue_.clock_.Now());
  }

  MemoryJobQueue& queue_;
  const std::shared_ptr<Entry> entry_;
};

MemoryJobQueue::MemoryJobQueue(int capacity, const Clock& clock,
                               Metrics& metrics, LoadBoard& board)
    : capacity_(capacity), clock_(clock), metrics_(metrics), board_(board) {}

absl::Status MemoryJobQueue::AdmitLocked(
    const JobWork& work, std::optional<absl::Duration> predicted) const {
  if (closed_) {
    return RetryLaterError("DRAINING", "the server is shutting down",
                           absl::ZeroDuration());
  }
  return Admit(
      {.waiting = waiting_.size(),
       .capacity = static_cast<size_t>(capacity_),
       .places_short = PlacesShort(waiting_.Counts(), capacity_, work.tenant),
       .time_per_place = mean_interval_,
       .predicted = predicted,
       .time_to_deadline = work.deadline - clock_.Now()});
}

absl::Status MemoryJobQueue::Submit(Job job,
                                    std::shared_ptr<EventMailbox> events) {
  const std::string id = job.id();
  const JobWork work = WorkOf(job);
  absl::MutexLock lock(&mutex_);
  const std::optional<absl::Duration> predicted = board_.PredictNew(work);
  const absl::Status admitted = AdmitLocked(work, predicted);
  if (!admitted.ok()) return admitted;
  if (predicted.has_value()) {
    *job.mutable_predicted_finish() = ToProto(clock_.Now() + *predicted);
  }
  const auto entry =
      std::make_shared<Entry>(std::move(job), std::move(events), clock_.Now());
  if (!jobs_.try_emplace(id, entry).second) {
    return absl::AlreadyExistsError(absl::StrCat("job ", id, " exists"));
  }
  board_.Add(id, work, predicted);
  // Under the lock: no worker can post an earlier event than this one.
  entry->PostPosition(waiting_.size(), predicted);
  waiting_.Push(QueueItem(id, work, board_.StartBy(work)));
  accepted_.insert(entry->accepted());
  MetricsOf(*entry).queue_depth.Increment();
  UpdateOldestLocked();
  return absl::OkStatus();
}

void MemoryJobQueue::Cancel(const std::string& job_id) {
  std::shared_ptr<Entry> removed;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = jobs_.find(job_id);
    if (found == jobs_.end()) return;
    found->second->Cancel();
    if (!waiting_.Remove(job_id)) {
      ++nudges_;  // its worker may wait, with the job put aside
      return;
    }
    removed = found->second;
    LeftLocked(*removed);
    jobs_.erase(found);
  }
  board_.Remove(job_id);
  MetricsOf(*removed).jobs_cancelled.Increment();
  removed->Fail(JobCancelledError());
  PostPositions();
}

std::unique_ptr<JobLease> MemoryJobQueue::TryTake(const TakeRules& rules) {
  std::unique_ptr<JobLease> lease;
  {
    absl::MutexLock lock(&mutex_);
    lease = TakeLocked(rules);
  }
  if (lease != nullptr) PostPositions();
  return lease;
}

std::unique_ptr<JobLease> MemoryJobQueue::Take(const TakeRules& rules) {
  std::unique_ptr<JobLease> lease;
  {
    absl::MutexLock lock(&mutex_);
    int64_t& seen = nudges_seen_[std::this_thread::get_id()];
    const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return waiting_.HasFor(rules) || nudges_ > seen ||
             (closed_ && waiting_.size() == 0);
    };
    mutex_.Await(absl::Condition(&ready));
    nudges_seen_[std::this_thread::get_id()] = nudges_;
    lease = TakeLocked(rules);
  }
  if (lease != nullptr) PostPositions();
  return lease;
}

void MemoryJobQueue::Nudge() {
  absl::MutexLock lock(&mutex_);
  ++nudges_;
}

bool MemoryJobQueue::Done() const {
  absl::MutexLock lock(&mutex_);
  return closed_ && waiting_.size() == 0;
}

void MemoryJobQueue::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

void MemoryJobQueue::CancelAll() {
  std::vector<std::string> ids;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& job : jobs_) ids.push_back(job.first);
  }
  for (const std::string& id : ids) Cancel(id);
}

std::unique_ptr<JobLease> MemoryJobQueue::TakeLocked(const TakeRules& rules) {
  const auto item = waiting_.Pop(rules);
  if (!item.has_value()) return nullptr;
  const std::shared_ptr<Entry> entry = jobs_.at(item->id);
  LeftLocked(*entry);
  entry->MarkLeased();
  const absl::Time now = clock_.Now();
  if (last_taken_ >= entry->accepted()) {
    mean_interval_ = 0.8 * mean_interval_ + 0.2 * (now - last_taken_);
  }
  last_taken_ = now;
  return std::make_unique<Lease>(*this, entry);
}

void MemoryJobQueue::LeftLocked(const Entry& entry) {
  accepted_.erase(accepted_.find(entry.accepted()));
  MetricsOf(entry).queue_depth.Decrement();
  UpdateOldestLocked();
}

ModelMetrics& MemoryJobQueue::MetricsOf(const Entry& entry) {
  return metrics_.ForModel(entry.job().request().model());
}

void MemoryJobQueue::UpdateOldestLocked() {
  metrics_.SetOldestJob(accepted_.empty() ? absl::InfiniteFuture()
                                          : *accepted_.begin());
}

void MemoryJobQueue::PostPositions() {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& id : waiting_.Order(kPositionsTold)) {
      entries.push_back(jobs_.at(id));
    }
  }
  if (entries.empty()) return;
  const auto predicted = board_.PredictAll(clock_.Now());
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto found = predicted.find(entries[i]->job().id());
    entries[i]->PostPosition(i, found == predicted.end()
                                    ? std::nullopt
                                    : std::optional(found->second));
  }
}

void MemoryJobQueue::Forget(const std::string& job_id) {
  board_.Remove(job_id);
  absl::MutexLock lock(&mutex_);
  jobs_.erase(job_id);
}

}  // namespace genzo
