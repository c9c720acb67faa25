#ifndef GENZO_WORKER_RESIDENCY_SIDE_NETWORKS_H_
#define GENZO_WORKER_RESIDENCY_SIDE_NETWORKS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "worker/denoiser/control_network.h"
#include "worker/pipeline/ip_adapter.h"

namespace genzo {

// The memory that models leave on a device: `reserve` takes so many bytes of it
// or says why it cannot, having idle models leave for them if `evicting`;
// `release` gives them back. Thread-safe.
struct SpareMemory {
  std::function<absl::Status(int64_t bytes, bool evicting)> reserve;
  std::function<void(int64_t bytes)> release;
};

// The networks of a device that stand beside models: control networks and image
// prompt adapters in the folders of the configuration, read when a job first
// names them, kept while there is room, and dropped, the longest unused first,
// for others and for models. What a job holds stays.
class SideNetworks {
 public:
  struct Folders {
    std::vector<std::string> controls;
    std::vector<std::string> adapters;
  };

  // Looks through the folders: of control networks, every folder with a
  // config.json and every safetensors file is one, of adapters every such file,
  // by its name without the ending. What cannot be read is left out, and the
  // log says so.
  SideNetworks(const Folders& folders, const Placement& placement,
               SpareMemory memory);

  // Names of those that fit models with that PipelineTraits::control_fit or
  // ::picture_fit, sorted. Any thread.
  std::vector<std::string> ControlsFor(const std::string& fit) const;
  std::vector<std::string> AdaptersFor(const std::string& fit) const;

  // The network, from memory or from disk. NOT_FOUND if there is none of that
  // name, INVALID_ARGUMENT if it is of another fit, RESOURCE_EXHAUSTED if there
  // is no room, FAILED_PRECONDITION if its file is broken by now. For one
  // thread at a time, not the step thread.
  absl::StatusOr<std::shared_ptr<const ControlNetwork>> Control(
      const std::string& name, const std::string& fit)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<const IpAdapter>> Adapter(
      const std::string& name, const std::string& fit)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Drops what no job holds. Any thread.
  void DropIdle() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Known {
    std::string path;
    std::string fit;
  };
  // What is on disk, by name; const once made.
  using Shelf = std::map<std::string, Known>;
  struct Resident {
    std::shared_ptr<const void> network;
    int64_t bytes = 0;
    int64_t last_used = 0;
  };

  // `bytes` and `load` are asked for what is not in memory.
  template <typename Network, typename Bytes, typename Load>
  absl::StatusOr<std::shared_ptr<const Network>> Get(const Shelf& shelf,
                                                     const std::string& name,
                                                     const std::string& fit,
                                                     const Bytes& bytes,
                                                     const Load& load)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Null if it is not in memory.
  std::shared_ptr<const void> Find(const Known* known)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes memory, dropping idle networks one by one until there is enough.
  absl::Status Reserve(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // False if all are in use.
  bool DropOldest() ABSL_LOCKS_EXCLUDED(mutex_);

  const Placement placement_;
  const SpareMemory memory_;
  Shelf controls_;
  Shelf adapters_;
  absl::Mutex mutex_;
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<const Known*, Resident> residents_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_SIDE_NETWORKS_H_
