#ifndef GENZO_SERVER_READINESS_H_
#define GENZO_SERVER_READINESS_H_

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace genzo {

// Whether the server says that it serves: once a model could be loaded, while a
// device is left that works and steps are taken, until it drains. Thread-safe.
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
  // None could be loaded, and why.
  void NoModel(const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { no_model_ = why; });
  }
  // Every device was taken out, by name; none are named once one works again.
  void DevicesOut(const std::string& devices) ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { out_ = devices; });
  }
  // Nothing moves though it should, and why it is thought so; "" once it does.
  void Stalled(const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { stalled_ = why; });
  }
  // For good.
  void Draining() ABSL_LOCKS_EXCLUDED(mutex_) {
    Change([this]()
               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { draining_ = true; });
  }

  // Why the server does not serve; "" if it does.
  std::string WhyNot() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return WhyNotLocked();
  }
  // Whether it has served once.
  bool started() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return started_;
  }

 private:
  std::string WhyNotLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    if (draining_) return "the server is shutting down";
    if (!out_.empty()) {
      return "no device works: " + out_ + " failed every evaluation";
    }
    if (!has_model_) return no_model_;
    return stalled_;
  }

  template <typename Set>
  void Change(const Set& set) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    set();
    const bool serving = WhyNotLocked().empty();
    if (serving == serving_) return;
    serving_ = serving;
    started_ = started_ || serving;
    tell_(serving);
  }

  const std::function<void(bool)> tell_;
  mutable absl::Mutex mutex_;
  bool has_model_ ABSL_GUARDED_BY(mutex_) = false;
  std::string no_model_ ABSL_GUARDED_BY(mutex_) = "no model is in memory yet";
  std::string out_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::string stalled_ ABSL_GUARDED_BY(mutex_);
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace genzo

#endif  // GENZO_SERVER_READINESS_H_
