#ifndef GENZO_QUEUE_BACKLOG_H_
#define GENZO_QUEUE_BACKLOG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "queue/job_demand.h"

namespace genzo {

// What is left to do of one job.
struct BacklogJob {
  std::string id;
  JobDemand demand;
  absl::Time latest_start;      // see ModelSpeeds::LatestStart()
  std::optional<int> device;    // none: it waits
  std::vector<int> steps_left;  // evaluations, by image
  // As it was accepted: predicted time, before what is known of lateness, and
  // how many had been accepted up to it.
  absl::Duration forecast = absl::ZeroDuration();
  int64_t arrival = 0;
  bool begun = false;  // its model is there: it has taken steps
  // In predictions only: it comes no sooner, and only may come.
  absl::Duration joins = absl::ZeroDuration();
  bool expected = false;
};

// What a device is at.
struct DeviceState {
  absl::Time busy_until = absl::InfinitePast();  // what comes now waits so long
  std::set<std::string> owing = {};  // tenants that used more than their share
  bool out = false;                  // broken: it takes no jobs for now
};

// Models that a device may be asked for and does not have in memory, and what
// loading each takes, as far as is known.
using MissingModels = std::map<std::string, absl::Duration>;

// What a prediction goes by. A value.
struct BacklogSnapshot {
  std::vector<DeviceState> devices = {{}};
  std::vector<MissingModels> missing = {};  // by device; others lack none
  std::vector<BacklogJob> jobs;
};

// All that is still to be done: the queue adds and removes jobs, devices tell
// when they take one and how far they are. Unknown ids are ignored, as jobs may
// end at any time. Thread-safe; no method waits for a prediction.
class Backlog {
 public:
  // A device is freer than another with less than this share of its work.
  static constexpr double kFreerShare = 0.75;

  // At least 1; before any job is started.
  void SetDevices(int devices) ABSL_LOCKS_EXCLUDED(mutex_);

  // A job was accepted; it replaces one of the same id.
  void Add(BacklogJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // `device` has the job from now on. `step` is what one evaluation of one of
  // its images takes there; zero if nobody knows.
  void Start(const std::string& job_id, int device, absl::Duration step)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // No device has it any more: it waits again, for all its evaluations.
  void PutBack(const std::string& job_id, int evaluations)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of one image; after every evaluation.
  void StepsLeft(const std::string& job_id, int image, int steps_left)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // It ended, or nobody wants it.
  void Remove(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of a device that begins an evaluation, or has nothing to do.
  void SetState(int device, DeviceState state) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whenever it has others in memory.
  void SetMissing(int device, MissingModels missing)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a device other than `device` has much less to do. What comes next
  // should be its: devices take jobs when they come by, and the first would
  // have them all.
  bool OthersAreFreer(int device) const ABSL_LOCKS_EXCLUDED(mutex_);

  std::optional<BacklogJob> Get(const std::string& job_id) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The jobs that were started, and of the others at most `most_waiting`: those
  // that should start first.
  BacklogSnapshot Snapshot(size_t most_waiting) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // How many jobs there are, waiting and started.
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Another number whenever a job or a model has come or gone.
  int64_t version() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    BacklogJob job;
    absl::Duration step;     // of an image, on its device
    absl::Duration counted;  // of its device's work
  };

  void CountLocked(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> jobs_ ABSL_GUARDED_BY(mutex_);
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<DeviceState> devices_ ABSL_GUARDED_BY(mutex_) = {{}};
  std::vector<MissingModels> missing_ ABSL_GUARDED_BY(mutex_) = {{}};
  // What is left of each device's jobs, one image at a time.
  std::vector<absl::Duration> work_ ABSL_GUARDED_BY(mutex_) = {
      absl::ZeroDuration()};
};

// Evaluations that are left of all images.
int64_t StepsLeftOf(const BacklogJob& job);

}  // namespace genzo

#endif  // GENZO_QUEUE_BACKLOG_H_
