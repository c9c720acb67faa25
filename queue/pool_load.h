#ifndef GENZO_QUEUE_POOL_LOAD_H_
#define GENZO_QUEUE_POOL_LOAD_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "queue/backlog.h"
#include "queue/model_speeds.h"
#include "queue/prediction.h"

namespace genzo {

// When a new job would be done, from now.
struct JobPrediction {
  absl::Duration time;      // what to tell
  absl::Duration forecast;  // the same, were nothing ever late
};

// How fast the pool is, what it has to do, and what experience says of
// predictions made from both. Thread-safe; speeds and backlog have locks of
// their own, so devices never wait for a prediction.
class PoolLoad {
 public:
  // Waiting jobs that predictions look at: they decide how long the others
  // take, and nobody asks for more.
  static constexpr size_t kWaitingPredicted = 256;
  // Jobs that were done last: predictions expect as many, alike and as far
  // apart, to come next. Of arrivals, a burst would promise another burst.
  static constexpr size_t kRecent = 48;
  static constexpr absl::Duration kFresh = absl::Milliseconds(50);
  // After this time without news, half of what was learned of lateness is
  // forgotten in every such time: jobs that all were refused for it would never
  // show that it is over.
  static constexpr absl::Duration kForgetLateness = absl::Minutes(1);
  // Tenants whose lateness is known; of others nothing is.
  static constexpr size_t kMostTenants = 256;

  ModelSpeeds& speeds() { return speeds_; }
  const ModelSpeeds& speeds() const { return speeds_; }
  Backlog& backlog() { return backlog_; }
  const Backlog& backlog() const { return backlog_; }

  // Until `demand`, accepted now, would be finished behind all that is here;
  // nullopt, at no cost, while its model's speed is unknown.
  std::optional<JobPrediction> PredictNew(const JobDemand& demand) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same at `now` for the jobs that have started, and for those of the
  // others that should start first. Looks again when jobs have come or gone, or
  // after kFresh.
  std::map<std::string, absl::Duration> PredictAll(absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What predictions at `now` go by: the backlog and jobs that are expected,
  // and the real over the forecast time of tenants where it is known.
  BacklogSnapshot LookAhead(absl::Time now) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::map<std::string, double> Lateness(absl::Time now) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Adds an accepted job to the backlog, with what PredictNew() said.
  void Accept(const std::string& job_id, const JobDemand& demand,
              const std::optional<JobPrediction>& predicted);
  // Before its Remove(): the job was finished, or given up as late, now. Later
  // predictions learn from how far this one was off.
  void LearnFrom(const std::string& job_id, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Done {
    BacklogJob job;  // as it was accepted
    absl::Time at;
    int64_t overlapping = 0;  // jobs that came while it was here
  };
  // Finishes as last predicted for all jobs.
  struct Predictions {
    absl::Time made = absl::InfinitePast();
    int64_t version = -1;  // of the backlog
    std::map<std::string, absl::Time> finish;
  };

  // Of a tenant, of late: what the forecast cannot know.
  struct Late {
    double factor = 1;  // real over forecast time
    absl::Time known = absl::InfinitePast();
  };

  BacklogSnapshot LookAheadLocked(absl::Time now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The recent jobs over again, from `now` on.
  std::vector<BacklogJob> ExpectedLocked(absl::Time now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  double LatenessLocked(const std::string& tenant, absl::Time now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void ForgetOneTenantLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PredictAllLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ModelSpeeds speeds_;
  Backlog backlog_;
  mutable absl::Mutex mutex_;
  // By tenant: beside one that floods the pool, whose jobs wait for its own,
  // the others' are as early as ever.
  std::map<std::string, Late> late_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> arrivals_{0};  // no accepted job waits for the lock
  std::deque<Done> recent_ ABSL_GUARDED_BY(mutex_);  // the oldest first
  Predictions predictions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_QUEUE_POOL_LOAD_H_
