#ifndef GENZO_QUEUE_MODEL_SPEEDS_H_
#define GENZO_QUEUE_MODEL_SPEEDS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "queue/job_demand.h"
#include "queue/step_costs.h"

namespace genzo {

// Evaluations of an image, from the steps that were asked for.
struct EvaluationCount {
  int per_step = 1;
  int extra = 0;
  int Of(int steps) const { return per_step * steps + extra; }
};

// How fast a device paints with one model.
struct ModelSpeed {
  StepCosts costs;             // at the model's own size
  int64_t own_pixels = 1;      // of an image of that size
  int largest_batch = 16;      // rows that no evaluation exceeds
  absl::Duration decode = {};  // last step to picture, at that size
  // Of samplers that do not evaluate once a step.
  std::map<v1::Sampler, EvaluationCount> evaluations = {};
};

// What a device needs for images of one job.
struct DemandSpeed {
  StepCosts costs;  // of evaluations at the job's size
  int row_cap = 2;
  absl::Duration decode;  // last step to picture
  int evaluations = 1;    // of an image
};

// How fast the pool paints: profiles as devices measured them, corrected by
// what evaluations and decodes took since. Knows no job. A device that has no
// profile of a model is taken to be as fast as the first one that has.
// Thread-safe; no method does more than look things up.
class ModelSpeeds {
 public:
  // Jobs should be done after this many times what they take alone, so short
  // ones go before long ones that came at the same time.
  static constexpr double kPatience = 4;

  // `device` was measured. Replaces an older profile, not what was learned.
  void SetSpeed(int device, const std::string& model, ModelSpeed speed)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // An evaluation took `took`: what is said of that device, model and size with
  // about as many rows follows, but for the first of that number of rows, which
  // makes kernels. Ignored while there is no profile.
  void Observe(int device, const JobDemand& demand, int rows,
               absl::Duration took) ABSL_LOCKS_EXCLUDED(mutex_);
  // A picture was ready `took` after its last step.
  void ObserveDecode(int device, const JobDemand& demand, absl::Duration took)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether any device has a profile of the model.
  bool Knows(const std::string& model) const ABSL_LOCKS_EXCLUDED(mutex_);
  // One row and no time at all while the model is not known.
  DemandSpeed Of(int device, const JobDemand& demand) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The most rows worth evaluating together; `largest` while it is not known.
  int RowCap(int device, const JobDemand& demand, int largest) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Seconds of an evaluation of 1, 2, ... `rows` rows. One each while the model
  // is not known.
  std::vector<double> StepSeconds(int device, const JobDemand& demand,
                                  int rows) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Time of the job alone on the device that is fastest with it; zero while
  // its model is not known.
  absl::Duration SoloTime(const JobDemand& demand) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // When the job must start, had it a device to itself, to be done by its
  // deadline or, if that is earlier, after kPatience times what it takes alone:
  // what the order of service goes by. Slack is the time until then. It does
  // not change while the job runs; counting what is left instead would favour
  // those that have done least, until all are late together.
  absl::Time LatestStart(const JobDemand& demand) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All profiles, corrected at the model's own size: what SetSpeed() elsewhere
  // makes the same of.
  using Profiles = std::map<std::pair<std::string, int>, ModelSpeed>;
  Profiles All() const ABSL_LOCKS_EXCLUDED(mutex_);  // by model and device

 private:
  // One model at one size on one device.
  using ShapeKey = std::tuple<std::string, int64_t, int>;
  struct LearnedCosts {
    std::set<int> seen;                      // rows
    std::map<int, absl::Duration> measured;  // of late, by rows
    StepCosts costs;  // the profile, drawn to what was measured
  };

  const ModelSpeed* SpeedLocked(int device, const std::string& model) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  StepCosts CostsLocked(int device, const std::string& model,
                        int64_t pixels) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Duration DecodeLocked(int device, const std::string& model,
                              int64_t pixels) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  DemandSpeed OfLocked(int device, const JobDemand& demand) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  Profiles profiles_ ABSL_GUARDED_BY(mutex_);
  std::map<ShapeKey, LearnedCosts> learned_ ABSL_GUARDED_BY(mutex_);
  // Of late. Not as the pixels are: small pictures are encoded and sent too.
  std::map<ShapeKey, absl::Duration> decodes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_QUEUE_MODEL_SPEEDS_H_
