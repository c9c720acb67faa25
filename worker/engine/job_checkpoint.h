#ifndef GENZO_WORKER_ENGINE_JOB_CHECKPOINT_H_
#define GENZO_WORKER_ENGINE_JOB_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// What a worker that cannot go on leaves of a job for the next one, by way of
// JobLease::Checkpoint(). A value.
struct JobCheckpoint {
  std::map<int, std::string> runs = {};  // Run::Save(), by image
  std::set<int> ended = {};              // images whose end the reader knows
  uint32_t images_failed = 0;            // of those
  uint32_t steps_run = 0;                // of all images, also in vain

  // Of a job that draws `images` images. INVALID_ARGUMENT names the field that
  // does not fit.
  std::string Serialize(int images) const;
  static absl::StatusOr<JobCheckpoint> Parse(const std::string& bytes,
                                             int images);
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_JOB_CHECKPOINT_H_
