#ifndef GENZO_QUEUE_LOAD_BOARD_H_
#define GENZO_QUEUE_LOAD_BOARD_H_

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "queue/forecast.h"
#include "queue/job_work.h"
#include "queue/step_costs.h"

namespace genzo {

// Evaluations of an image, from the steps that were asked for.
struct EvaluationCount {
  int per_step = 1;
  int extra = 0;
  int Of(int steps) const { return per_step * steps + extra; }
};

// How fast the pool paints with one model.
struct ModelSpeed {
  StepCosts costs;         // at the model's own size
  int64_t own_pixels = 1;  // of an image of that size
  int largest_batch = 16;  // rows that no evaluation exceeds
  absl::Duration decode;   // last step to picture, at that size
  // Of samplers that do not evaluate once a step.
  std::map<v1::GenerateRequest::Sampler, EvaluationCount> evaluations = {};
};

// What all jobs in the pool still ask for, and how fast the pool is: the one
// place that predicts. Workers write speeds and progress, the queue writes
// arrivals and ends, admission and events read predictions. Thread-safe.
class LoadBoard {
 public:
  // Jobs should be done after this many times what they take alone, so short
  // ones go before long ones that came at the same time.
  static constexpr double kPatience = 4;
  // Waiting jobs that PredictAll() looks at: they decide how long the others
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
  // A device is freer than another with less than this share of its work.
  static constexpr double kFreerShare = 0.75;

  void SetDevices(int devices) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetSpeed(const std::string& model, ModelSpeed speed)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // `device` begins an evaluation: what comes now has to wait for its end.
  void Begin(int device, const JobWork& work, int rows, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // An evaluation took `took`: what is predicted of that model and size with
  // about as many rows follows.
  void Observe(const std::string& model, int64_t pixels, int rows,
               absl::Duration took) ABSL_LOCKS_EXCLUDED(mutex_);
  // A picture was ready `took` after its last step.
  void ObserveDecode(const std::string& model, int64_t pixels,
                     absl::Duration took) ABSL_LOCKS_EXCLUDED(mutex_);

  // A job's life: added when accepted, with what PredictNew() said, started by
  // a device, each image's steps left told after every evaluation, removed at
  // its end. Unknown ids are ignored.
  void Add(const std::string& job_id, const JobWork& work,
           std::optional<absl::Duration> predicted) ABSL_LOCKS_EXCLUDED(mutex_);
  void Start(const std::string& job_id, int device) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a device other than `device` is freer. What comes next should be
  // its: devices take jobs when they come by, and the first would have them
  // all.
  bool OthersAreFreer(int device) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Advance(const std::string& job_id, int image, int steps_left)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Before Remove(): the job was finished, or given up as late, now. Later
  // predictions learn from how far this one was off.
  void LearnFrom(const std::string& job_id, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Time of the job alone on an idle device; zero while its model's speed is
  // unknown.
  absl::Duration SoloTime(const JobWork& work) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // When the job must start, had it a device to itself, to be done by its
  // deadline or, if that is earlier, after kPatience times what it takes alone:
  // what the order of service goes by. Slack is the time until then. It does
  // not change while the job runs; counting what is left instead would favour
  // those that have done least, until all are late together.
  absl::Time StartBy(const JobWork& work) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Seconds of an evaluation of 1, 2, ... `rows` rows at the size of `work`.
  // One each while the model's speed is unknown.
  std::vector<double> StepSeconds(const JobWork& work, int rows) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  int RowCap(const std::string& model, int64_t pixels, int largest) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Predicted time until `work`, if it came now, would be finished, with all
  // that is here; nullopt while its model's speed is unknown.
  std::optional<absl::Duration> PredictNew(const JobWork& work) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same at `now` for the jobs that have started, and for those that are
  // due first of the others. Looks again when jobs have come or gone, or after
  // kFresh.
  std::map<std::string, absl::Duration> PredictAll(absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    JobWork work;
    absl::Time start_by;
    std::optional<int> device;
    std::vector<int> steps_left;  // by image
    absl::Duration forecast;      // at acceptance, before `lateness_`
    absl::Duration joins;         // the evaluations, from now
    bool expected = false;        // not here: it may come
    int64_t arrival = 0;          // its number
  };
  // One model at one size.
  using ShapeKey = std::pair<std::string, int64_t>;  // model, pixels
  struct LearnedCosts {
    std::map<int, absl::Duration> measured;  // of late, by rows
    StepCosts costs;  // the profile, drawn to what was measured
  };

  struct Done {
    Entry entry;  // as it was accepted
    absl::Time at;
    int64_t overlapping = 0;  // jobs that came while it was here
  };
  // Finishes as last predicted for all jobs.
  struct Predictions {
    absl::Time made = absl::InfinitePast();
    std::map<std::string, absl::Time> finish;
  };

  const ModelSpeed* SpeedLocked(const std::string& model) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  double AreaLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  StepCosts CostsLocked(const std::string& model, int64_t pixels) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Duration DecodeLocked(const std::string& model, int64_t pixels) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  int EvaluationsLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void PredictAllLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration SoloLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Time StartByLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  ForecastShape ShapeLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  int RowCapLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<const Entry*> NearestLocked() const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Entry EntryLocked(const JobWork& work) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The recent jobs over again, from `now` on.
  std::vector<Entry> ExpectedLocked(absl::Time now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Until a device has time for something new.
  absl::Duration BusyLocked(absl::Time now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  double WorkLocked(const Entry& entry) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  double LatenessLocked(absl::Time now) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Counts what is left of `entry` for or no longer for its device.
  void CountLocked(const Entry& entry, int sign)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SortLocked(std::vector<const Entry*>& entries) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::vector<int> DealLocked(const std::vector<const Entry*>& entries) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The flows with more runs than fit in an evaluation, where others have not:
  // the batcher lets them be guests.
  std::set<std::pair<std::string, double>> GuestsLocked(
      const std::vector<const Entry*>& entries) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::map<const Entry*, absl::Duration> PredictLocked(
      std::vector<const Entry*> entries) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  int devices_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, ModelSpeed> speeds_ ABSL_GUARDED_BY(mutex_);
  std::map<ShapeKey, LearnedCosts> learned_ ABSL_GUARDED_BY(mutex_);
  // Of late. Not as the pixels are: small pictures are encoded and sent too.
  std::map<ShapeKey, absl::Duration> decodes_ ABSL_GUARDED_BY(mutex_);
  // Real over forecast time of late: what the forecast cannot know, above all
  // those who come later.
  double lateness_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::Time lateness_known_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::map<std::string, Entry> jobs_ ABSL_GUARDED_BY(mutex_);
  int64_t arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Done> recent_ ABSL_GUARDED_BY(mutex_);  // the oldest first
  Predictions predictions_ ABSL_GUARDED_BY(mutex_);
  // What is left of each device's jobs: rows times pixels, in exact numbers, as
  // they are added and taken away again.
  std::vector<int64_t> started_ ABSL_GUARDED_BY(mutex_) = {0};
  // When each device's evaluation should end.
  std::vector<absl::Time> busy_until_ ABSL_GUARDED_BY(mutex_) = {
      absl::InfinitePast()};
};

}  // namespace genzo

#endif  // GENZO_QUEUE_LOAD_BOARD_H_
