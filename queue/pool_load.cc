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
  BacklogSnapshot backlog;
  double lateness = 1;
  {
    absl::ReaderMutexLock lock(&mutex_);
    backlog = LookAheadLocked(demand.accepted);
    lateness = LatenessLocked(demand.tenant, demand.accepted);
  }
  const absl::Duration forecast =
      PredictNewcomer(std::move(backlog), WaitingJob("", demand, speeds_),
                      speeds_, demand.accepted);
  return JobPrediction{.time = forecast * lateness, .forecast = forecast};
}

BacklogSnapshot PoolLoad::LookAhead(absl::Time now) const {
  absl::ReaderMutexLock lock(&mutex_);
  return LookAheadLocked(now);
}

BacklogSnapshot PoolLoad::LookAheadLocked(absl::Time now) const {
  BacklogSnapshot backlog = backlog_.Snapshot(kWaitingPredicted);
  for (BacklogJob& job : ExpectedLocked(now)) {
    backlog.jobs.push_back(std::move(job));
  }
  return backlog;
}

std::map<std::string, double> PoolLoad::Lateness(absl::Time now) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::map<std::string, double> lateness;
  for (const auto& late : late_) {
    lateness[late.first] = LatenessLocked(late.first, now);
  }
  return lateness;
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
  const BacklogSnapshot backlog = LookAheadLocked(now);
  const std::vector<BacklogJob>& jobs = backlog.jobs;
  const std::vector<absl::Duration> predicted = Predict(backlog, speeds_);
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].expected || !speeds_.Knows(jobs[i].demand.model)) continue;
    predictions_.finish[jobs[i].id] =
        now + predicted[i] * LatenessLocked(jobs[i].demand.tenant, now);
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
  const std::string& tenant = job->demand.tenant;
  const double before = LatenessLocked(tenant, now);
  if (late_.count(tenant) == 0) ForgetOneTenantLocked();
  late_[tenant] = {
      .factor =
          std::clamp(before * (ratio > before ? kMedianStep : 1 / kMedianStep),
                     1 / kMaxLateness, kMaxLateness),
      .known = now};
}

void PoolLoad::ForgetOneTenantLocked() {
  if (late_.size() < kMostTenants) return;
  late_.erase(std::min_element(late_.begin(), late_.end(),
                               [](const auto& a, const auto& b) {
                                 return a.second.known < b.second.known;
                               }));
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

double PoolLoad::LatenessLocked(const std::string& tenant,
                                absl::Time now) const {
  const auto late = late_.find(tenant);
  if (late == late_.end()) return 1;
  const absl::Duration age = std::max(
      absl::ZeroDuration(), now - late->second.known - kForgetLateness);
  return std::pow(late->second.factor,
                  std::exp2(-absl::FDivDuration(age, kForgetLateness)));
}

}  // namespace genzo
