#include "queue/backlog.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace genzo {
namespace {

// Of a model that nobody has measured: it still is more work than none.
constexpr absl::Duration kUnknownStep = absl::Milliseconds(100);

}  // namespace

int64_t StepsLeftOf(const BacklogJob& job) {
  return std::accumulate(job.steps_left.begin(), job.steps_left.end(),
                         int64_t{0});
}

void Backlog::SetDevices(int devices) {
  absl::MutexLock lock(&mutex_);
  devices_.assign(devices, {});
  missing_.assign(devices, {});
  work_.assign(devices, absl::ZeroDuration());
}

void Backlog::Add(BacklogJob job) {
  absl::MutexLock lock(&mutex_);
  ++version_;
  const std::string id = job.id;
  jobs_[id] = {.job = std::move(job),
               .step = absl::ZeroDuration(),
               .counted = absl::ZeroDuration()};
}

void Backlog::Start(const std::string& job_id, int device,
                    absl::Duration step) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  Entry& entry = found->second;
  entry.job.device = device;
  entry.step = step > absl::ZeroDuration() ? step : kUnknownStep;
  CountLocked(entry);
}

void Backlog::PutBack(const std::string& job_id, int evaluations) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  Entry& entry = found->second;
  entry.job.steps_left.assign(entry.job.steps_left.size(), 0);
  CountLocked(entry);
  entry.job.device = std::nullopt;
  entry.job.begun = false;
  entry.job.steps_left.assign(entry.job.steps_left.size(), evaluations);
  ++version_;
}

void Backlog::StepsLeft(const std::string& job_id, int image, int steps_left) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  found->second.job.steps_left[image] = steps_left;
  found->second.job.begun = true;
  CountLocked(found->second);
}

void Backlog::Remove(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return;
  found->second.job.steps_left.clear();
  CountLocked(found->second);
  jobs_.erase(found);
  ++version_;
}

void Backlog::SetState(int device, DeviceState state) {
  absl::MutexLock lock(&mutex_);
  devices_[device] = std::move(state);
}

void Backlog::SetMissing(int device, MissingModels missing) {
  absl::MutexLock lock(&mutex_);
  missing_[device] = std::move(missing);
  ++version_;
}

bool Backlog::OthersAreFreer(int device) const {
  absl::ReaderMutexLock lock(&mutex_);
  for (size_t other = 0; other < work_.size(); ++other) {
    if (devices_[other].out) continue;
    if (work_[other] < kFreerShare * work_[device]) return true;
  }
  return false;
}

std::optional<BacklogJob> Backlog::Get(const std::string& job_id) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end()) return std::nullopt;
  return found->second.job;
}

BacklogSnapshot Backlog::Snapshot(size_t most_waiting) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<const BacklogJob*> started;
  std::vector<const BacklogJob*> waiting;
  for (const auto& [id, entry] : jobs_) {
    (entry.job.device.has_value() ? started : waiting).push_back(&entry.job);
  }
  if (waiting.size() > most_waiting) {
    std::nth_element(
        waiting.begin(),
        waiting.begin() + static_cast<std::ptrdiff_t>(most_waiting),
        waiting.end(), [](const BacklogJob* a, const BacklogJob* b) {
          return a->latest_start < b->latest_start;
        });
    waiting.resize(most_waiting);
  }
  BacklogSnapshot snapshot;
  snapshot.devices = devices_;
  snapshot.missing = missing_;
  for (const BacklogJob* job : started) snapshot.jobs.push_back(*job);
  for (const BacklogJob* job : waiting) snapshot.jobs.push_back(*job);
  return snapshot;
}

size_t Backlog::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return jobs_.size();
}

int64_t Backlog::version() const {
  absl::ReaderMutexLock lock(&mutex_);
  return version_;
}

// Counts what is left of a started job instead of what was counted before.
void Backlog::CountLocked(Entry& entry) {
  if (!entry.job.device.has_value()) return;
  absl::Duration& work = work_[*entry.job.device];
  work -= entry.counted;
  entry.counted = static_cast<double>(StepsLeftOf(entry.job)) * entry.step;
  work += entry.counted;
}

}  // namespace genzo
