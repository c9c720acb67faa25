#include "queue/pool_load.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace genzo {
namespace {

// How far one job moves what is known of lateness, and the farthest that goes.
constexpr double kMedianStep = 1.02;
constexpr double kMaxLateness = 4;

}  // namespace

std::optional<JobPrediction> PoolLoad::PredictNew(
    const JobDemand& demand) const {
  if (!speeds_.Knows(demand.model)) return std::nullopt;
  Outlook outlook = LookAhead(demand.accepted);
  const absl::Duration forecast = PredictNewcomer(
      std::move(outlook.backlog), WaitingJob("", demand, speeds_), speeds_,
      demand.accepted);
  return JobPrediction{.time = forecast * outlook.lateness,
                       .forecast = forecast};
}

Outlook PoolLoad::LookAhead(absl::Time now) const {
  absl::ReaderMutexLock lock(&mutex_);
  return LookAheadLocked(now);
}

Outlook PoolLoad::LookAheadLocked(absl::Time now) const {
  Outlook outlook;
  outlook.backlog = backlog_.Snapshot(kWaitingPredicted);
  for (BacklogJob& job : ExpectedLocked(now)) {
    outlook.backlog.jobs.push_back(std::move(job));
  }
  outlook.lateness = LatenessLocked(now);
  return outlook;
}

std::map<std::string, absl::Duration> PoolLoad::PredictAll(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (now - predictions_.made > kFresh ||
      predictions_.version != backlog_.version()) {
    PredictAllLocked(now);
  }
  std::map<std::string, absl::Duration> all;
  for (const auto& [id, finish] : predictions_.finish) {
    all[id] = std::max(absl::ZeroDuration(), finish - now);
  }
  return all;
}

void PoolLoad::PredictAllLocked(absl::Time now) {
  predictions_ = {.made = now, .version = backlog_.version(), .finish = {}};
  const Outlook outlook = LookAheadLocked(now);
  const std::vector<BacklogJob>& jobs = outlook.backlog.jobs;
  const std::vector<absl::Duration> predicted =
      Predict(outlook.backlog, speeds_);
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].expected || !speeds_.Knows(jobs[i].demand.model)) continue;
    predictions_.finish[jobs[i].id] = now + predicted[i] * outlook.lateness;
  }
}

void PoolLoad::Accept(const std::string& job_id, const JobDemand& demand,
                      const std::optional<JobPrediction>& predicted) {
  BacklogJob job = WaitingJob(job_id, demand, speeds_);
  if (predicted.has_value()) job.forecast = predicted->forecast;
  job.arrival = ++arrivals_;
  backlog_.Add(std::move(job));
}

void PoolLoad::LearnFrom(const std::string& job_id, absl::Time now) {
  const std::optional<BacklogJob> job = backlog_.Get(job_id);
  if (!job.has_value()) return;
  BacklogJob again = WaitingJob(job_id, job->demand, speeds_);
  absl::MutexLock lock(&mutex_);
  recent_.push_back({std::move(again), now, arrivals_ - job->arrival});
  if (recent_.size() > kRecent) recent_.pop_front();
  if (job->forecast <= absl::ZeroDuration()) return;
  // Follows the median: a few that were held up long would drag a mean along.
  const double ratio =
      absl::FDivDuration(now - job->demand.accepted, job->forecast);
  lateness_ = LatenessLocked(now);
  lateness_ *= ratio > lateness_ ? kMedianStep : 1 / kMedianStep;
  lateness_ = std::clamp(lateness_, 1 / kMaxLateness, kMaxLateness);
  lateness_known_ = now;
}

std::vector<BacklogJob> PoolLoad::ExpectedLocked(absl::Time now) const {
  if (recent_.size() < kRecent) return {};
  // No more often than jobs were done, and no more than came while others were
  // here: clients that wait for their picture add nobody's company but others'.
  absl::Duration stay;
  int64_t overlapping = 0;
  for (const Done& done : recent_) {
    stay += done.at - done.job.demand.accepted;
    overlapping += done.overlapping;
  }
  if (overlapping == 0) return {};
  const absl::Time first = recent_.front().at;
  const absl::Duration window = now - first;
  const absl::Duration gap = std::max(window / kRecent, stay / overlapping);
  const double stretch = absl::FDivDuration(gap * kRecent, window);
  std::vector<BacklogJob> expected;
  for (const Done& done : recent_) {
    BacklogJob& job = expected.emplace_back(done.job);
    job.expected = true;
    job.joins = (done.at - first) * stretch + gap;
    job.latest_start += now + job.joins - job.demand.accepted;
  }
  return expected;
}

double PoolLoad::LatenessLocked(absl::Time now) const {
  const absl::Duration age =
      std::max(absl::ZeroDuration(), now - lateness_known_ - kForgetLateness);
  return std::pow(lateness_,
                  std::exp2(-absl::FDivDuration(age, kForgetLateness)));
}

}  // namespace genzo
