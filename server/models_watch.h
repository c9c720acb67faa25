#ifndef GENZO_SERVER_MODELS_WATCH_H_
#define GENZO_SERVER_MODELS_WATCH_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/models_folder.h"

namespace genzo {

// Looks into a folder of models now and then, on a thread of its own.
class ModelsWatch {
 public:
  // `on_model` hears of each model that is new or has changed, on that thread.
  ModelsWatch(ModelsFolder folder, absl::Duration interval,
              std::function<void(const ModelConfig&)> on_model);
  // Waits for a look that is being taken.
  ~ModelsWatch();

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  ModelsFolder folder_;  // the thread's own
  const absl::Duration interval_;
  const std::function<void(const ModelConfig&)> on_model_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_MODELS_WATCH_H_
