#ifndef GENZO_SERVER_READINESS_H_
#define GENZO_SERVER_READINESS_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace genzo {

// Whether the server says that it serves: once a model could be loaded, while a
// device is left that works, until it drains. Thread-safe.
class Readiness {
 public:
  // `tell` hears of every change, in order; it must not block or call back.
  // Before the first the server does not serve.
  explicit Readiness(std::function<void(bool serving)> tell)
      : tell_(std::move(tell)) {}

  // A model is in memory.
  void ModelLoaded() ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([this]()
               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { has_model_ = true; });
  }
  // So many devices still work, as the pool says when one is taken out or in.
  void DevicesLeft(int devices) ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      has_device_ = devices > 0;
    });
  }
  // For good.
  void Draining() ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([this]()
               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { draining_ = true; });
  }

 private:
  template <typename Set>
  void Change(const Set& set) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    set();
    const bool serving = has_model_ && has_device_ && !draining_;
    if (serving == serving_) return;
    serving_ = serving;
    tell_(serving);
  }

  const std::function<void(bool)> tell_;
  absl::Mutex mutex_;
  bool has_model_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_device_ ABSL_GUARDED_BY(mutex_) = true;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace genzo

#endif  // GENZO_SERVER_READINESS_H_
