#ifndef GENZO_WORKER_ENGINE_DEVICE_ANSWERS_H_
#define GENZO_WORKER_ENGINE_DEVICE_ANSWERS_H_

#include <cstddef>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "queue/model_control.h"

namespace genzo {

// One answer of several devices that were asked the same: the first that is not
// OK. A device that is out of use has no say, unless all are.
//
//   OK, DEVICE_OUT -> OK    MODEL_FAILED, DEVICE_OUT -> MODEL_FAILED
//
// Thread-safe.
class DeviceAnswers {
 public:
  // Calls `done` once `devices` have told, on the thread of the last.
  DeviceAnswers(size_t devices, ModelControl::Done done)
      : left_(devices), done_(std::move(done)) {}

  void Tell(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);  // devices that have not told
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  absl::Status out_ ABSL_GUARDED_BY(mutex_);
  bool all_out_ ABSL_GUARDED_BY(mutex_) = true;
  const ModelControl::Done done_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_DEVICE_ANSWERS_H_
