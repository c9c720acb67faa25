#ifndef GENZO_SERVER_ACCESS_QUOTAS_H_
#define GENZO_SERVER_ACCESS_QUOTAS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/api_keys.h"
#include "base/clock.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/jobs.pb.h"
#include "genzo/v1/model_registry.pb.h"

namespace genzo {

// Whether the grant's models are all, or `model` is one of them:
// PERMISSION_DENIED/MODEL_NOT_ALLOWED otherwise. Pure.
absl::Status CheckGrantModel(const Grant& grant, const std::string& model);

// OK if a picture of that size keeps within the grant's, else
// INVALID_ARGUMENT/INVALID_FIELD. Pure.
absl::Status CheckGrantPixels(const Grant& grant, int64_t width,
                              int64_t height);

// OK if `resolved` keeps within the grant's models, sizes and steps, else as
// CheckGrantModel() or INVALID_ARGUMENT/INVALID_FIELD. Pure.
absl::Status CheckGrantLimits(const Grant& grant,
                              const v1::GenerateRequest& resolved);

// Of the work of a job that has ended, the share that was not done, by steps:
// 0 to 1. Of one that succeeded, none. Pure.
double ShareLeft(const v1::Job& job);

// Tells in `model` the grant's limits, where they are lower than its own. Pure.
void LowerLimits(const Grant& grant, v1::Model& model);

// What the keys have used of what they may. A key's cost units come back at
// cost_per_minute, up to its burst; a job may begin when the key has the job's
// cost, or a whole burst, and may leave the key in debt: a job that costs more
// than a burst waits for a full one, and the next ones wait the longer.
//
//   cost_per_minute 60, burst 10: jobs of 10 units, one every 10 s; or one of
//   40, and 40 s later the next.
//
// A job is charged when it is queued. What it leaves undone is given back when
// it ends: all of one that is cancelled while it waits, a third of one that the
// server fails at after two thirds of its steps.
//
// Counted in this process, by key, from its start. Thread-safe.
class Quotas {
 public:
  // `clock` outlives the quotas.
  explicit Quotas(const Clock& clock) : clock_(clock) {}

  // Charges the key for a job that is about to be queued.
  // RESOURCE_EXHAUSTED/QUOTA_EXCEEDED otherwise, with a QuotaFailure, a
  // RetryInfo, and quota, limit and key in the ErrorInfo.
  absl::Status Begin(const std::string& job_id, double cost,
                     std::shared_ptr<const Grant> grant)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // It was not queued after all: the charge is given back.
  void TakeBack(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Keys that something is remembered of.
  size_t keys() const ABSL_LOCKS_EXCLUDED(mutex_);

  // What has become of a job. Unknown ids are ignored.
  void Waits(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Runs(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives `left` of the charge back, see ShareLeft().
  void Ended(const std::string& job_id, double left = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What one key has used.
  struct Use {
    double units = 0;  // that it may spend; under 0, debt
    absl::Time as_of = absl::InfinitePast();
    absl::Time full = absl::InfinitePast();  // when nothing is owed any more
    int jobs = 0;
    int queued = 0;
  };
  struct Job {
    std::string key_id;
    double cost;
    bool waits = true;
  };

  void RefillLocked(const Grant& grant, Use& use)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keys that owe nothing and have no jobs are as those never seen. Tokens may
  // have as many as there are people.
  void ForgetIdleLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetWaits(const std::string& job_id, bool waits)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Use> uses_ ABSL_GUARDED_BY(mutex_);  // by key id
  size_t looked_through_ ABSL_GUARDED_BY(mutex_) = 0;        // uses_, then
  std::map<std::string, Job> jobs_ ABSL_GUARDED_BY(mutex_);  // that live
};

}  // namespace genzo

#endif  // GENZO_SERVER_ACCESS_QUOTAS_H_
