#ifndef GENZO_QUEUE_PICTURE_SCORING_H_
#define GENZO_QUEUE_PICTURE_SCORING_H_

#include <functional>

#include "absl/status/statusor.h"
#include "genzo/v1/scoring.pb.h"

namespace genzo {

// How front ends ask the pool to score pictures. Thread-safe.
class PictureScoring {
 public:
  using Done = std::function<void(absl::StatusOr<v1::ScoreResponse>)>;

  virtual ~PictureScoring() = default;

  // Calls `done` once, on a thread of the pool's or, if too much waits
  // already, on the caller's with RESOURCE_EXHAUSTED/SCORING_BUSY. `request`
  // names its scorer or its model. Other errors are those of
  // PictureScoring.Score.
  virtual void Score(v1::ScoreRequest request, Done done) = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_PICTURE_SCORING_H_
