#ifndef GENZO_WORKER_RESIDENCY_SPARE_MEMORY_H_
#define GENZO_WORKER_RESIDENCY_SPARE_MEMORY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/residency/eviction.h"

namespace genzo {

// The memory that a device's models leave to what stands beside them. Models
// and all of that have one budget and one order of use: whoever is idle and was
// used longest ago leaves first. Thread-safe; as ModelLoader's calls of these
// names say, and not to be called with a lock held that BesideModels' calls
// take.
struct SpareMemory {
  // OK once they are there, for which it waits, or RESOURCE_EXHAUSTED where
  // they cannot be.
  std::function<absl::Status(int64_t bytes)> reserve;
  std::function<absl::Status(int64_t bytes, const std::string& user)>
      try_reserve;  // for a job of the model `user`; UNAVAILABLE: ask again
  std::function<void(int64_t bytes)> release;
  // Bytes that there can be at most beside `user`.
  std::function<int64_t(const std::string& user)> most;
  // The number of the use that begins now: greater than all before.
  std::function<int64_t()> next_use;
};

// Something that stands beside the models of a device. Thread-safe.
class BesideModels {
 public:
  virtual ~BesideModels() = default;

  // What no job holds.
  virtual std::vector<IdleBeside> Idle() const = 0;
  // Drops, and releases, what nobody has used since those uses.
  virtual void Drop(const std::vector<int64_t>& uses) = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_SPARE_MEMORY_H_
