#ifndef GENZO_WORKER_ENGINE_PICTURE_WRITER_H_
#define GENZO_WORKER_ENGINE_PICTURE_WRITER_H_

#include <cstddef>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/work_thread.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/media/picture_encoder.h"
#include "worker/media/pixels.h"

namespace genzo {

// Turns pixels into picture files on a thread of its own, in order: a PNG can
// take as long as an autoencoder on a fast device, which would wait for it. Its
// end finishes what waits. Thread-safe.
class PictureWriter {
 public:
  struct Task {
    Pixels pixels;
    PictureFormat format;
    PictureText text;
    std::function<void(absl::StatusOr<v1::Picture> picture)> done;
  };

  // At most `capacity` tasks wait.
  explicit PictureWriter(size_t capacity) : capacity_(capacity) {}

  // `task.done` is called on the writing thread. Waits while there is no room.
  void Submit(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t capacity_;
  absl::Mutex mutex_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  WorkThread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_PICTURE_WRITER_H_
