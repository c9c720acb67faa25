#ifndef GENZO_WORKER_ENGINE_LATENT_STORE_H_
#define GENZO_WORKER_ENGINE_LATENT_STORE_H_

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/start_latents.h"
#include "base/tenant_totals.h"

namespace genzo {

// What an image's walk ended at.
struct KeptLatent {
  at::Tensor
      latent;  // [1, C, h, w] float32 on the CPU, not written to any more
  std::string model;
  int64_t pixels_per_latent = 8;

  KeptLatentFacts facts() const {
    return {.model = model,
            .width = latent.size(3) * pixels_per_latent,
            .height = latent.size(2) * pixels_per_latent};
  }
};

// Latents that one request leaves for the next, by names that are a tenant's
// own. A tenant's oldest go where it would have more than its share of the
// bytes, and then everybody's oldest. Thread-safe.
class LatentStore : public StartLatents {
 public:
  // `tenant_bytes` is at most `bytes`; a latent larger than that is not kept.
  LatentStore(int64_t bytes, int64_t tenant_bytes)
      : bytes_(bytes), tenant_bytes_(tenant_bytes) {}

  void Keep(const std::string& tenant, const std::string& name,
            KeptLatent latent) ABSL_LOCKS_EXCLUDED(mutex_);

  // NOT_FOUND/LATENTS_NOT_FOUND if the tenant has none of that name (any more).
  // What is used goes last.
  absl::StatusOr<KeptLatent> Find(const std::string& tenant,
                                  const std::string& name)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Uses them not.
  absl::StatusOr<KeptLatentFacts> Look(const std::string& tenant,
                                       const std::string& name) const override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Key = std::pair<std::string, std::string>;  // tenant, name
  struct Entry {
    KeptLatent kept;
    int64_t bytes;
    std::list<Key>::iterator place;
  };

  void EraseLocked(const Key& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first of `recent_` from the end on, of `tenant` alone unless null.
  Key OldestLocked(const std::string* tenant) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t bytes_;
  const int64_t tenant_bytes_;
  mutable absl::Mutex mutex_;
  std::list<Key> recent_ ABSL_GUARDED_BY(mutex_);  // the latest first
  std::map<Key, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  TenantTotals used_ ABSL_GUARDED_BY(mutex_);
  int64_t all_used_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_LATENT_STORE_H_
