#ifndef GENZO_WORKER_ENGINE_DECODE_STAGE_H_
#define GENZO_WORKER_ENGINE_DECODE_STAGE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <thread>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "worker/engine/job_state.h"

namespace genzo {

// A latent on its way to being a picture.
struct DecodeTask {
  std::shared_ptr<JobState> job;
  int image_index = 0;
  at::Tensor
      latent;  // [1, C, h, w] float32 on the CPU, not written to any more
  bool is_final = true;
  uint64_t seed = 0;  // of a final image
  int step = 0;       // of a preview
  int steps = 0;
};

// Turns latents into pictures on a thread of its own, so that the step loop
// does not wait: autoencoder or linear map, resizing, PNG. Finished images go
// first, but behind their own previews; when decoding cannot keep up with the
// steps, the oldest previews of an image are dropped. Thread-safe.
class DecodeStage {
 public:
  // At most `max_finals` finished images wait. `clock` and `metrics` outlive
  // it.
  DecodeStage(int max_finals, const Clock& clock, Metrics& metrics);
  // Finishes what waits.
  ~DecodeStage();

  // Queues a task; a final one waits while there is no room.
  void Submit(DecodeTask task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop();
  void Decode(const DecodeTask& task);
  DecodeTask NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_finals_;
  const Clock& clock_;
  Metrics& metrics_;
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<DecodeTask> finals_ ABSL_GUARDED_BY(mutex_);
  std::deque<DecodeTask> previews_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_DECODE_STAGE_H_
