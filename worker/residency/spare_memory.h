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
  std::function<absl::Status(int64_t bytes)> reserve;
  std::function<absl::Status(int64_t bytes, const std::string& user)>
      try_reserve;
  std::function<void(int64_t bytes)> release;
  std::function<int64_t(const std::string& user)> most;
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
