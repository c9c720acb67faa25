#ifndef GENZO_WORKER_ENGINE_LIVE_RUN_H_
#define GENZO_WORKER_ENGINE_LIVE_RUN_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/engine/job_state.h"
#include "worker/engine/run.h"
#include "worker/pipeline/pipeline.h"

namespace genzo {

// One image being painted. Of the step loop.
struct LiveRun {
  Run run;
  std::shared_ptr<JobState> job;
  int image_index = 0;
  uint64_t seed = 0;
  absl::Time latest_start = {};
  bool reproducible = false;  // always among as many rows, for its bits
  bool failed = false;        // its image will not come
  int decoded_together = 1;   // pictures at once, at most
  int waited = 0;             // evaluations since it last ran or joined
};

// What its job asks, at the size of the stage that it is in: a later one may
// have another.
JobDemand DemandOfStage(const LiveRun& live);

// What the runs of an evaluation have in common.
struct Batch {
  std::vector<LiveRun*> runs;
  int rows = 0;
  int padded_rows = 0;  // with those that only fill the number up
  int row_cap = 0;      // of the shape
  double load = 1;      // Run::load() of its rows, on average
  JobDemand demand;     // DemandOfStage() of the first
  const JobState& job() const { return *runs[0]->job; }
};

// The runs of a job's images, ready for their first evaluation; image k has
// the seed of the request plus k, and goes on from what the job kept of its
// run. None of images that have ended. Errors are Plan()'s, and LibTorch's
// exceptions as EVALUATION_FAILED.
absl::StatusOr<std::vector<std::unique_ptr<LiveRun>>> BuildRuns(
    const std::shared_ptr<JobState>& job, const Encoded& encoded);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_LIVE_RUN_H_
