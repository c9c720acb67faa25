#ifndef GENZO_WORKER_RESIDENCY_PROFILE_MEASUREMENT_H_
#define GENZO_WORKER_RESIDENCY_PROFILE_MEASUREMENT_H_

#include <climits>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "worker/residency/model_source.h"
#include "worker/residency/sliced_work.h"
#include "worker/residency/step_profile.h"

namespace genzo {

// What a measurement does with a model, at the model's own size. For the step
// thread; LibTorch's exceptions come through.
class ProfileSubject {
 public:
  virtual ~ProfileSubject() = default;
  // Makes the inputs of evaluations of `rows` equal rows; `at_leisure` also
  // what is found out but once (worker/kernels/row_bits.h).
  virtual void Prepare(int rows, bool at_leisure) = 0;
  // One evaluation of what was prepared -> [rows, ...].
  virtual at::Tensor Evaluate() = 0;
  // One picture, full.
  virtual void Decode() = 0;
  // No evaluation follows: what was kept for them may go.
  virtual void Forget() = 0;
  virtual bool on_cpu() const = 0;
};

// `model` outlives the subject. Its own size, but no side over `longest_side`
// pixels.
std::unique_ptr<ProfileSubject> SubjectOf(const LoadedModel& model,
                                          int longest_side = INT_MAX);

// Limits of a measurement.
struct ProfileOptions {
  int largest_rows = 16;
  // Of measured time: no more rows after this, nor after a few times as much
  // with all preparations.
  absl::Duration budget = absl::Seconds(3);
  // No more rows that would probably want more for themselves.
  int64_t memory_bytes = INT64_MAX;
  // How long the process's threads have waited for a core so far, all together
  // (worker/device/core_wait.h); null: nobody counts it.
  std::function<absl::Duration()> core_wait = nullptr;
};

// Evaluates a model with 1, 2, 4, ... rows until more rows gain nothing, or to
// `largest_rows` or the end of the budget, then decodes a picture. One
// evaluation a call, on the CPU a slice of one, so that others can run in
// between, and need not wait if they come:
//
//   while (!measurement.Step(patience)) { /* the others' steps */ }
//
// What would take longer than the others' patience is left out, and then the
// profile is provisional: fewer rows than would pay, a guess at the decoding.
// Only the first evaluation, of one row, is always made, as nothing is known of
// a model before it, and its first job would make it anyhow. Where memory ends
// at more rows, the search does.
class ProfileMeasurement {
 public:
  // `clock` outlives this.
  ProfileMeasurement(std::unique_ptr<ProfileSubject> subject,
                     const ProfileOptions& options, const Clock& clock);

  // Makes one evaluation, or one picture, or a slice of either, or none.
  // Returns whether all is done.
  bool Step(absl::Duration patience);

  // Once it is done.
  const StepProfile& profile() const { return profile_; }
  // Whether the profile is as good as one made on an idle machine at leisure:
  // nothing was left out, no thread waited for a core while the times that
  // count were taken, and if others ran in between, repetitions agree.
  bool sound() const { return sound_; }
  // Whether nobody ran in between.
  bool at_leisure() const { return !interleaved_; }

 private:
  enum class Phase { kWarmUp, kTime, kWarmUpDecode, kDecode };

  // What the next step is likely to take.
  absl::Duration Expected() const;
  void LeaveOut();
  void DoNext(absl::Duration patience);
  // What came of an evaluation or of a picture.
  struct Outcome {
    at::Tensor rows;         // of an evaluation
    int64_t peak_bytes = 0;  // if it was new
    absl::Duration time;
    bool starved = false;  // threads waited for a core
  };
  // Of threads that compute on the CPU what is timed.
  absl::Duration CoreWait() const;
  // Makes it, by the clock `time`.
  Outcome Do(const std::function<absl::Duration()>& time) const;
  void Note(const Outcome& outcome);
  bool RepeatedEnough() const;
  // Whether the best came without waiting for cores, or one about as good.
  bool Undisturbed() const;
  void EndOfRepeats();
  bool Enough() const;
  void EndOfEvaluations();

  const std::unique_ptr<ProfileSubject> subject_;
  const ProfileOptions options_;
  const Clock& clock_;
  Phase phase_ = Phase::kWarmUp;
  bool done_ = false;
  bool sound_ = true;
  bool interleaved_ = false;                        // others run in between
  int rows_ = 1;                                    // of the evaluations now
  at::Tensor alone_;                                // what one row gives
  absl::Duration last_;                             // evaluation or picture
  absl::Duration best_ = absl::InfiniteDuration();  // of these rows or pictures
  absl::Duration undisturbed_ = absl::InfiniteDuration();  // by starving
  absl::Duration second_ = absl::InfiniteDuration();
  int repeats_ = 0;
  absl::Duration timed_;      // of these rows
  absl::Duration all_timed_;  // of all rows
  absl::Duration spent_;      // with all preparations
  std::map<int, absl::Duration> measured_;
  StepProfile profile_;
  Outcome outcome_;                   // of work_
  std::unique_ptr<SlicedWork> work_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_PROFILE_MEASUREMENT_H_
