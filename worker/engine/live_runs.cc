#include "worker/engine/live_runs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/errors.h"

namespace genzo {
namespace {

bool IsDone(const LiveRun& live) { return live.failed || live.run.finished(); }

int EvaluationsLeft(const LiveRun& live) {
  const WalkProgress progress = live.run.progress();
  return progress.evaluations - progress.evaluations_done;
}

}  // namespace

TenantCounts LiveRuns::ByTenant() const {
  TenantCounts counts;
  for (const auto& run : live_) ++counts[run->job->demand().tenant];
  return counts;
}

// --- begin -------------------------------------------------------------------

void LiveRuns::Start(EncodedJob encoded,
                     absl::FunctionRef<bool()> device_works) {
  JobState& job = *encoded.job;
  auto runs = encoded.encoded.ok() ? BuildRuns(encoded.job, *encoded.encoded)
                                   : encoded.encoded.status();
  if (!runs.ok()) {
    const bool suspect = absl::IsInternal(runs.status());
    const bool goes_elsewhere =
        suspect && !device_works() && job.MayGoElsewhere();
    if (!goes_elsewhere) job.Fail(runs.status());
    return;
  }
  const JobDemand& demand = job.demand();
  // A second pass is larger than the request's size.
  int64_t pixels = demand.pixels;
  for (const auto& live : *runs) {
    pixels = std::max(pixels, live->run.most_pixels());
  }
  const absl::Status fits =
      models_.Fits(demand.model, pixels,
                   static_cast<int>(std::ceil(demand.rows * demand.load)));
  if (!fits.ok()) return job.Fail(fits);
  Begin(job, *std::move(runs), models_.PicturesThatFit(demand.model, pixels));
}

void LiveRuns::Begin(JobState& job, std::vector<std::unique_ptr<LiveRun>> runs,
                     int decoded_together) {
  const JobDemand& demand = job.demand();
  Backlog& backlog = dependencies_.load.backlog();
  const absl::Time latest_start =
      dependencies_.load.speeds().LatestStart(demand);
  const bool reproducible =
      job.request().reproducibility() == v1::REPRODUCIBILITY_REPRODUCIBLE &&
      !models_.profile(demand.model).rows_independent;
  idle_ = false;
  // Images that have ended have no runs.
  if (static_cast<int>(runs.size()) < demand.images) {
    for (int i = 0; i < demand.images; ++i) backlog.StepsLeft(job.id(), i, 0);
  }
  for (auto& live : runs) {
    live->latest_start = latest_start;
    live->reproducible = reproducible;
    live->decoded_together = decoded_together;
    backlog.StepsLeft(job.id(), live->image_index, EvaluationsLeft(*live));
    live_.push_back(std::move(live));
  }
  CarryHops();  // a worker before got as far
}

void LiveRuns::TakeArrived() {
  for (auto& live : carrier_.TakeArrived()) {
    idle_ = false;
    live_.push_back(std::move(live));
  }
}

// --- steps -------------------------------------------------------------------

void LiveRuns::Advance(const Predictions& predictions, Batch& batch) {
  std::vector<LiveRun*> advanced;
  for (size_t i = 0; i < batch.runs.size(); ++i) {
    LiveRun& live = *batch.runs[i];
    if (!predictions[i].has_value()) continue;  // tried again
    absl::Status taken = predictions[i]->status();
    if (taken.ok()) taken = live.run.Take(**predictions[i]);
    if (taken.ok()) {
      advanced.push_back(&live);
    } else {
      live.failed = true;
      live.job->FailImage(live.image_index,
                          WithReason(taken, kEvaluationFailed));
    }
    dependencies_.load.backlog().StepsLeft(
        live.job->id(), live.image_index,
        live.failed ? 0 : EvaluationsLeft(live));
  }
  batch.runs = std::move(advanced);
}

void LiveRuns::LookWhetherIdle() {
  idle_ = std::all_of(live_.begin(), live_.end(), [](const auto& live) {
    return IsDone(*live) || live->run.hop() != nullptr;
  });
}

// --- end ---------------------------------------------------------------------

void LiveRuns::EndFinished() {
  std::erase_if(live_, [](const auto& live) { return IsDone(*live); });
  CarryHops();
}

void LiveRuns::CarryHops() {
  for (auto& live : live_) {
    if (live->run.hop() != nullptr) carrier_.Carry(std::move(live));
  }
  std::erase(live_, nullptr);
}

void LiveRuns::DropUnwanted() {
  std::erase_if(live_, [](const auto& live) { return !live->job->Wanted(); });
  if (empty()) idle_ = true;
}

void LiveRuns::GiveBack() {
  TakeArrived();
  for (const auto& live : live_) {
    live->job->KeepRun(live->image_index, live->run.Save());
  }
  live_.clear();
}

}  // namespace genzo
