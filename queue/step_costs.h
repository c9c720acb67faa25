#ifndef GENZO_QUEUE_STEP_COSTS_H_
#define GENZO_QUEUE_STEP_COSTS_H_

#include <map>

#include "absl/time/time.h"

namespace genzo {

// What a denoiser evaluation takes, over its rows, for one model at its own
// size: a measured profile. Other sizes are read from the same curve, because
// the work grows with rows times area. A value; thread-safe when const.
class StepCosts {
 public:
  // Nothing is known: no cost, no cap.
  StepCosts() = default;
  // `measured` maps rows, at least 1, to the time that an evaluation took.
  explicit StepCosts(std::map<int, absl::Duration> measured)
      : measured_(std::move(measured)) {}

  bool known() const { return !measured_.empty(); }
  const std::map<int, absl::Duration>& measured() const { return measured_; }

  // Time of an evaluation of `rows` rows whose latents are `relative_area`
  // times the model's own: interpolated between points, and past the last
  // point by the slope of the last two.
  absl::Duration At(int rows, double relative_area = 1) const;

  // The most rows worth evaluating together at that area: as many as of the
  // last measured point to which rows per second gain at least 5 % a point. One
  // that was measured in a bad moment does not hide those behind it. At least
  // 2, a guided image; `largest` while nothing is known.
  int RowCap(int largest, double relative_area = 1) const;

 private:
  std::map<int, absl::Duration> measured_;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_STEP_COSTS_H_
