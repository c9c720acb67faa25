#ifndef GENZO_SERVER_DRAINED_MODELS_H_
#define GENZO_SERVER_DRAINED_MODELS_H_

#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/errors.h"
#include "genzo/v1/model_registry.pb.h"

namespace genzo {

// The models that an administrator took out of use: the front end takes no
// request for them. Thread-safe.
class DrainedModels {
 public:
  void Set(const std::string& id, bool drained) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (drained) {
      ids_.insert(id);
    } else {
      ids_.erase(id);
    }
  }

  // OK, or UNAVAILABLE/MODEL_DRAINED.
  absl::Status Check(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (ids_.count(id) == 0) return absl::OkStatus();
    return ErrorWithReason(absl::StatusCode::kUnavailable, "MODEL_DRAINED",
                           absl::StrCat("model ", id, " was taken out of use"));
  }

  // Says so in `model`.
  void Tell(v1::Model& model) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (ids_.count(model.id()) > 0) model.set_state(v1::Model::STATE_DRAINED);
  }

 private:
  mutable absl::Mutex mutex_;
  std::set<std::string> ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_SERVER_DRAINED_MODELS_H_
