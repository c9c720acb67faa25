#include "queue/memory_job_queue.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "queue/admission.h"
#include "queue/queued_job.h"

namespace genzo {
namespace {

using internal::v1::Job;

// Readers further back hear of their place when they come nearer.
constexpr size_t kPositionsTold = 100;

}  // namespace

class MemoryJobQueue::Lease : public JobLease {
 public:
  Lease(MemoryJobQueue& queue, std::shared_ptr<QueuedJob> entry)
      : queue_(queue),
        entry_(std::move(entry)),
        attempt_(entry_->Lease()),
        checkpoint_(entry_->checkpoint()) {}

  ~Lease() override {
    if (!ended_ && queue_.PutBack(entry_)) return;
    if (!ended_) {
      const absl::Status why =
          entry_->cancelled()
              ? entry_->cancel_status()
              : ErrorWithReason(absl::StatusCode::kInternal, "JOB_LOST",
                                "the worker gave the job up without a result");
      queue_.MetricsOf(*entry_).CountEnd(why, entry_->steps());
      Fail(why);
    }
    queue_.Forget(entry_->job().id());
  }

  const Job& job() const override { return entry_->job(); }
  int attempt() const override { return attempt_; }
  const std::string& checkpoint() const override { return checkpoint_; }
  bool cancelled() const override { return entry_->cancelled(); }
  bool Renew() override { return !ended_; }
  void Checkpoint(std::string state) override {
    if (!ended_) entry_->Keep(std::move(state));
  }
  void Post(v1::JobEvent event) override { entry_->Post(std::move(event)); }
  absl::Status CancelStatus() const override { return entry_->cancel_status(); }
  void End(v1::Ended ended) override {
    if (ended_.exchange(true)) return;
    if (ended.state() == v1::JOB_STATE_SUCCEEDED ||
        ended.state() == v1::JOB_STATE_EXPIRED) {
      Learn();
    }
    entry_->End(std::move(ended));
  }

 private:
  void Learn() {
    queue_.load_.LearnFrom(entry_->job().id(), queue_.clock_.Now());
  }

  MemoryJobQueue& queue_;
  const std::shared_ptr<QueuedJob> entry_;
  const int attempt_;
  const std::string checkpoint_;
  std::atomic<bool> ended_{false};
};

MemoryJobQueue::MemoryJobQueue(int capacity, const Clock& clock,
                               Metrics& metrics, PoolLoad& load, bool tells_age)
    : capacity_(capacity),
      clock_(clock),
      metrics_(metrics),
      load_(load),
      tells_age_(tells_age) {}

absl::Status MemoryJobQueue::AdmitLocked(
    const JobDemand& demand, std::optional<absl::Duration> predicted) const {
  if (closed_) return DrainingError();
  return Admit(
      {.waiting = waiting_.size(),
       .capacity = static_cast<size_t>(capacity_),
       .places_short = PlacesShort(waiting_.Counts(), capacity_, demand.tenant),
       .time_per_place = mean_interval_,
       .predicted = predicted,
       .alone = load_.speeds().SoloTime(demand),
       .time_to_deadline = demand.deadline - clock_.Now()});
}

absl::Status MemoryJobQueue::Submit(Job job,
                                    std::shared_ptr<EventSink> events) {
  const JobDemand demand = DemandOf(job, clock_);
  {
    // What costs nothing to know, before a prediction.
    absl::MutexLock lock(&mutex_);
    const absl::Status admitted = AdmitLocked(demand, std::nullopt);
    if (!admitted.ok()) return admitted;
  }
  const auto predicted = load_.PredictNew(demand);
  const auto time =
      predicted.has_value() ? std::optional(predicted->time) : std::nullopt;
  if (time.has_value()) {
    *job.mutable_predicted_finish() = ToProto(clock_.Date() + *time);
  }
  const auto entry =
      std::make_shared<QueuedJob>(std::move(job), std::move(events), demand,
                                  load_.speeds().LatestStart(demand));
  absl::MutexLock lock(&mutex_);
  const absl::Status admitted = AdmitLocked(demand, time);
  if (!admitted.ok()) return admitted;
  return AddLocked(entry, predicted);
}

absl::Status MemoryJobQueue::Readmit(Job job,
                                     std::shared_ptr<EventSink> events) {
  const JobDemand demand = DemandOf(job, clock_);
  const auto entry =
      std::make_shared<QueuedJob>(std::move(job), std::move(events), demand,
                                  load_.speeds().LatestStart(demand));
  absl::MutexLock lock(&mutex_);
  if (closed_) return DrainingError();
  // Nothing is decided by a prediction, and there may be thousands of these.
  return AddLocked(entry, /*predicted=*/std::nullopt);
}

absl::Status MemoryJobQueue::AddLocked(
    const std::shared_ptr<QueuedJob>& entry,
    const std::optional<JobPrediction>& predicted) {
  const std::string& id = entry->job().id();
  if (!jobs_.try_emplace(id, entry).second) {
    return absl::AlreadyExistsError(absl::StrCat("job ", id, " exists"));
  }
  load_.Accept(id, entry->demand(), predicted);
  // Under the lock: no worker can post an earlier event than this one.
  entry->PostPosition(waiting_.size(), predicted.has_value()
                                           ? std::optional(predicted->time)
                                           : std::nullopt);
  WaitLocked(*entry);
  return absl::OkStatus();
}

void MemoryJobQueue::Cancel(const std::string& job_id) {
  CancelEach({job_id}, JobCancelledError());
}

void MemoryJobQueue::CancelEach(const std::vector<std::string>& job_ids,
                                const absl::Status& status) {
  bool any_left = false;
  for (const std::string& id : job_ids) {
    any_left = CancelWith(id, status) || any_left;
  }
  if (any_left) PostPositions();
}

bool MemoryJobQueue::CancelWith(const std::string& job_id,
                                const absl::Status& status) {
  std::shared_ptr<QueuedJob> removed;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = jobs_.find(job_id);
    if (found == jobs_.end()) return false;
    found->second->Cancel(status);
    // A leased one, too: forecasts do not wait for its worker to notice.
    load_.backlog().Remove(job_id);
    if (!waiting_.Remove(job_id)) {
      ++nudges_;  // its worker may wait, with the job put aside
      return false;
    }
    removed = found->second;
    LeftLocked(*removed);
    jobs_.erase(found);
  }
  MetricsOf(*removed).CountEnd(status, removed->steps());
  removed->End(EndedBy(status));
  return true;
}

void MemoryJobQueue::Expire() {
  const absl::Time now = clock_.Now();
  std::vector<std::string> late;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, entry] : jobs_) {
      if (entry->demand().deadline < now && !entry->cancelled()) {
        late.push_back(id);
      }
    }
  }
  for (const std::string& id : late) load_.LearnFrom(id, now);
  CancelEach(late, JobLateError());
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
    // A copy: another thread's first look may move what lies in the map.
    const int64_t seen = nudges_seen_[std::this_thread::get_id()];
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

void MemoryJobQueue::AwaitNudge() {
  absl::MutexLock lock(&mutex_);
  const int64_t seen = nudges_seen_[std::this_thread::get_id()];
  const auto nudged = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return nudges_ > seen;
  };
  mutex_.Await(absl::Condition(&nudged));
  nudges_seen_[std::this_thread::get_id()] = nudges_;
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
  CancelEach(ids, DrainingError());
}

std::unique_ptr<JobLease> MemoryJobQueue::TakeLocked(const TakeRules& rules) {
  const auto item = waiting_.Pop(rules);
  if (!item.has_value()) return nullptr;
  const std::shared_ptr<QueuedJob> entry = jobs_.at(item->id);
  LeftLocked(*entry);
  const absl::Time now = clock_.Now();
  if (last_taken_ >= entry->demand().accepted) {
    mean_interval_ = 0.8 * mean_interval_ + 0.2 * (now - last_taken_);
  }
  last_taken_ = now;
  return std::make_unique<Lease>(*this, entry);
}

void MemoryJobQueue::WaitLocked(const QueuedJob& entry) {
  waiting_.Push(
      QueueItem(entry.job().id(), entry.demand(), entry.latest_start()));
  accepted_.insert(entry.demand().accepted);
  DepthOf(entry).Increment();
  MetricsOf(entry).queue_cost.Increment(CostUnits(entry.demand()));
  UpdateOldestLocked();
}

void MemoryJobQueue::LeftLocked(const QueuedJob& entry) {
  accepted_.erase(accepted_.find(entry.demand().accepted));
  DepthOf(entry).Decrement();
  ModelMetrics& metrics = MetricsOf(entry);
  metrics.queue_cost.Decrement(CostUnits(entry.demand()));
  if (metrics.Queued() == 0) metrics.queue_cost.Set(0);  // to the last bit
  UpdateOldestLocked();
}

ModelMetrics& MemoryJobQueue::MetricsOf(const QueuedJob& entry) {
  return metrics_.ForModel(entry.job().request().model());
}

prometheus::Gauge& MemoryJobQueue::DepthOf(const QueuedJob& entry) {
  return *MetricsOf(entry).queue_depth[entry.demand().priority + 1];
}

void MemoryJobQueue::UpdateOldestLocked() {
  if (!tells_age_) return;
  metrics_.SetOldestJob(accepted_.empty() ? absl::InfiniteFuture()
                                          : *accepted_.begin());
}

void MemoryJobQueue::PostPositions() {
  std::vector<std::shared_ptr<QueuedJob>> entries;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& id : waiting_.Order(kPositionsTold)) {
      entries.push_back(jobs_.at(id));
    }
  }
  if (entries.empty()) return;
  const auto predicted = load_.PredictAll(clock_.Now());
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto found = predicted.find(entries[i]->job().id());
    entries[i]->PostPosition(i, found == predicted.end()
                                    ? std::nullopt
                                    : std::optional(found->second));
  }
}

void MemoryJobQueue::Forget(const std::string& job_id) {
  load_.backlog().Remove(job_id);
  absl::MutexLock lock(&mutex_);
  jobs_.erase(job_id);
}

bool MemoryJobQueue::PutBack(const std::shared_ptr<QueuedJob>& entry) {
  {
    absl::MutexLock lock(&mutex_);
    // Once it is closed, nobody may come for the job any more.
    if (closed_ || entry->cancelled()) return false;
    if (entry->Unlease() >= JobLease::kMostAttempts) return false;
    load_.backlog().PutBack(
        entry->job().id(),
        load_.speeds().Of(/*device=*/0, entry->demand()).evaluations);
    WaitLocked(*entry);
  }
  PostPositions();
  return true;
}

}  // namespace genzo
