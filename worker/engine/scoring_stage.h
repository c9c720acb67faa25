#ifndef GENZO_WORKER_ENGINE_SCORING_STAGE_H_
#define GENZO_WORKER_ENGINE_SCORING_STAGE_H_

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/work_thread.h"
#include "queue/picture_scoring.h"
#include "worker/vision/picture_judges.h"

namespace genzo {

// Scores pictures that callers bring, on a thread of its own, one call after
// the other. Its end finishes what waits. Thread-safe.
class ScoringStage : public PictureScoring {
 public:
  static constexpr size_t kMostWaiting = 16;

  // `judges` outlives the stage.
  explicit ScoringStage(PictureJudges& judges);

  void Score(v1::ScoreRequest request, Done done) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<v1::ScoreResponse> ScoreNow(const v1::ScoreRequest& request);

  PictureJudges& judges_;
  absl::Mutex mutex_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  WorkThread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_SCORING_STAGE_H_
