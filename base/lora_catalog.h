#ifndef GENZO_BASE_LORA_CATALOG_H_
#define GENZO_BASE_LORA_CATALOG_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/lora_blocks.h"
#include "genzo/v1/lora_registry.pb.h"

namespace genzo {

// The low-rank adapters that requests may name: written by the pool as files
// come and go and models are loaded, read by front ends to validate and list.
// Thread-safe.
class LoraCatalog {
 public:
  // An adapter, in place of one of that name; nothing is known of the models
  // that take it any more.
  void Put(v1::Lora lora) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  // It cannot be used, whatever the model.
  void Fail(const std::string& name, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a model takes it: OK, or why not; and what it changes there.
  void SetFit(const std::string& name, const std::string& model,
              const absl::Status& fits, LoraLayers layers = {})
      ABSL_LOCKS_EXCLUDED(mutex_);

  // No adapter is told to fit it, or not to, any more.
  void RemoveModel(const std::string& model) ABSL_LOCKS_EXCLUDED(mutex_);

  // Why a request for `model` cannot have the adapter, as far as is known: no
  // such name, a file that is not sound, another family's. OK otherwise.
  absl::Status Check(const std::string& name, const std::string& model) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Why the adapter's block_weights, resolved, are none for it in `model`
  // (CheckBlockWeights). OK too as long as nobody knows what it changes there.
  absl::Status CheckBlocks(const v1::LoraUse& lora,
                           const std::string& model) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All adapters, by name; those that `model` is known to take, unless it is
  // empty.
  std::vector<v1::Lora> List(const std::string& model = "") const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Fit {
    absl::Status status;
    std::shared_ptr<const LoraLayers> layers;
  };
  struct Entry {
    v1::Lora lora;
    std::map<std::string, Fit> fits;  // by model
  };

  // The same for all files that change the same: names fill memory.
  std::shared_ptr<const LoraLayers> Shared(LoraLayers layers) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_BASE_LORA_CATALOG_H_
