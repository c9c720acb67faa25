#include "server/access/quotas.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"
#include "base/shortest_digits.h"

namespace genzo {
namespace {

// When jobs end nobody knows.
constexpr absl::Duration kJobsRetry = absl::Seconds(5);

double BurstOf(const Grant& grant) {
  return grant.burst_cost > 0 ? grant.burst_cost : grant.cost_per_minute;
}

void AddPixels(const Grant& grant, int64_t pixels,
               std::vector<FieldViolation>& violations) {
  if (grant.max_pixels == 0 || pixels <= grant.max_pixels) return;
  violations.push_back({"width", absl::StrCat("the picture has ", pixels,
                                              " pixels, the key's limit is ",
                                              grant.max_pixels)});
}

}  // namespace

absl::Status CheckGrantModel(const Grant& grant, const std::string& model) {
  if (grant.models.empty() || grant.models.count(model) > 0) {
    return absl::OkStatus();
  }
  return ErrorWithReason(
      absl::StatusCode::kPermissionDenied, "MODEL_NOT_ALLOWED",
      absl::StrCat("model \"", model, "\" is not one of the key's: ",
                   absl::StrJoin(grant.models, ", ")));
}

absl::Status CheckGrantPixels(const Grant& grant, int64_t width,
                              int64_t height) {
  std::vector<FieldViolation> violations;
  AddPixels(grant, width * height, violations);
  return violations.empty() ? absl::OkStatus() : InvalidFieldsError(violations);
}

absl::Status CheckGrantLimits(const Grant& grant,
                              const v1::GenerateRequest& resolved) {
  const absl::Status allowed = CheckGrantModel(grant, resolved.model());
  if (!allowed.ok()) return allowed;
  std::vector<FieldViolation> violations;
  AddPixels(grant, int64_t{resolved.width()} * resolved.height(), violations);
  for (const auto& [field, steps] :
       {std::pair("steps", resolved.steps()),
        std::pair("image_to_image.inversion.steps",
                  resolved.image_to_image().inversion().steps())}) {
    if (grant.max_steps == 0 || steps <= uint32_t(grant.max_steps)) continue;
    violations.push_back(
        {field, absl::StrCat(field, " ", steps, " is over the key's limit, ",
                             grant.max_steps)});
  }
  return violations.empty() ? absl::OkStatus() : InvalidFieldsError(violations);
}

double ShareLeft(const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_SUCCEEDED) return 0;
  const double total = std::max(1u, job.steps_total());
  // Steps that were walked twice make more than all.
  return 1 - std::min(1.0, job.steps_done() / total);
}

void LowerLimits(const Grant& grant, v1::Model& model) {
  if (!model.has_limits()) return;  // of one that could not be read
  v1::ModelLimits& own = *model.mutable_limits();
  const auto pixels = static_cast<uint64_t>(grant.max_pixels);
  if (pixels > 0 && (own.max_pixels() == 0 || pixels < own.max_pixels())) {
    own.set_max_pixels(pixels);
  }
  if (grant.max_steps > 0) {
    own.set_max_steps(std::min(own.max_steps(), uint32_t(grant.max_steps)));
  }
}

void Quotas::RefillLocked(const Grant& grant, Use& use) {
  const absl::Time now = clock_.Now();
  const double full = BurstOf(grant);
  const double minutes = absl::ToDoubleMinutes(now - use.as_of);
  // The first time it is full: the past is infinite.
  use.units = std::min(full, use.units + minutes * grant.cost_per_minute);
  use.as_of = now;
}

absl::Status Quotas::Begin(const std::string& job_id, double cost,
                           std::shared_ptr<const Grant> grant) {
  absl::MutexLock lock(&mutex_);
  ForgetIdleLocked();
  Use& use = uses_[grant->key_id];
  const auto refuse = [&](const char* quota, const std::string& limit,
                          const std::string& what, absl::Duration retry_after) {
    return QuotaError(quota, limit, grant->key_id, what, retry_after);
  };
  if (grant->max_jobs > 0 && use.jobs >= grant->max_jobs) {
    return refuse("max_jobs", absl::StrCat(grant->max_jobs),
                  absl::StrCat("the key has ", use.jobs, " jobs, its limit"),
                  kJobsRetry);
  }
  if (grant->max_queued_jobs > 0 && use.queued >= grant->max_queued_jobs) {
    return refuse(
        "max_queued_jobs", absl::StrCat(grant->max_queued_jobs),
        absl::StrCat("the key has ", use.queued, " jobs waiting, its limit"),
        kJobsRetry);
  }
  if (grant->cost_per_minute > 0) {
    RefillLocked(*grant, use);
    const double needed = std::min(cost, BurstOf(*grant));
    if (use.units < needed) {
      const double minutes = (needed - use.units) / grant->cost_per_minute;
      return refuse(
          "cost_per_minute", ShortestDigits(grant->cost_per_minute),
          absl::StrFormat("the job costs %.3g units and the key may spend "
                          "%.3g a minute",
                          cost, grant->cost_per_minute),
          absl::Ceil(absl::Minutes(minutes), absl::Milliseconds(1)));
    }
    use.units -= cost;
    use.full = use.as_of + absl::Minutes((BurstOf(*grant) - use.units) /
                                         grant->cost_per_minute);
  }
  ++use.jobs;
  ++use.queued;
  jobs_[job_id] = {grant->key_id, grant->cost_per_minute > 0 ? cost : 0};
  return absl::OkStatus();
}

void Quotas::ForgetIdleLocked() {
  constexpr size_t kFew = 1000;
  if (uses_.size() < std::max(kFew, 2 * looked_through_)) return;
  const absl::Time now = clock_.Now();
  std::erase_if(uses_, [&](const auto& entry) {
    return entry.second.jobs == 0 && entry.second.full <= now;
  });
  looked_through_ = uses_.size();
}

size_t Quotas::keys() const {
  absl::MutexLock lock(&mutex_);
  return uses_.size();
}

void Quotas::TakeBack(const std::string& job_id) { Ended(job_id, /*left=*/1); }

void Quotas::Waits(const std::string& job_id) { SetWaits(job_id, true); }

void Quotas::Runs(const std::string& job_id) { SetWaits(job_id, false); }

void Quotas::SetWaits(const std::string& job_id, bool waits) {
  absl::MutexLock lock(&mutex_);
  const auto job = jobs_.find(job_id);
  if (job == jobs_.end() || job->second.waits == waits) return;
  job->second.waits = waits;
  uses_[job->second.key_id].queued += waits ? 1 : -1;
}

void Quotas::Ended(const std::string& job_id, double left) {
  absl::MutexLock lock(&mutex_);
  const auto job = jobs_.find(job_id);
  if (job == jobs_.end()) return;
  Use& use = uses_[job->second.key_id];
  use.units += left * job->second.cost;
  --use.jobs;
  if (job->second.waits) --use.queued;
  jobs_.erase(job);
}

}  // namespace genzo
