#ifndef GENZO_BASE_MODEL_CATALOG_H_
#define GENZO_BASE_MODEL_CATALOG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/lora_catalog.h"
#include "genzo/v1/model_registry.pb.h"

namespace genzo {

// What the pool can paint with: written by workers as models come and go, read
// by front ends to validate and list. Thread-safe.
class ModelCatalog {
 public:
  explicit ModelCatalog(std::string default_model)
      : default_model_(std::move(default_model)) {}

  // Another model is the default one from now on.
  void SetDefault(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // What `device` says of `model`, in place of what it said before. Of several
  // devices' words the best counts: resident, loading, unloaded, failed.
  void Put(v1::Model model, int device = 0) ABSL_LOCKS_EXCLUDED(mutex_);

  // There is no such model on `device` any more.
  void Remove(const std::string& id, int device = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The model of that id, or the default one for "". NOT_FOUND/MODEL_NOT_FOUND
  // lists the known ids; an id too long to be one is INVALID_ARGUMENT.
  absl::StatusOr<v1::Model> Get(const std::string& id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The model of that id. As Get(), but an empty id is INVALID_ARGUMENT.
  absl::StatusOr<v1::Model> Named(const std::string& id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The adapters that go with them.
  LoraCatalog& loras() { return loras_; }
  const LoraCatalog& loras() const { return loras_; }

  // All models, by id.
  std::vector<v1::Model> List() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  LoraCatalog loras_;
  mutable absl::Mutex mutex_;
  std::string default_model_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::map<int, v1::Model>> models_
      ABSL_GUARDED_BY(mutex_);  // by id and device
};

}  // namespace genzo

#endif  // GENZO_BASE_MODEL_CATALOG_H_
