#ifndef GENZO_WORKER_RESIDENCY_SIDE_NETWORKS_H_
#define GENZO_WORKER_RESIDENCY_SIDE_NETWORKS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/watched_folders.h"
#include "worker/denoiser/control_network.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/residency/spare_memory.h"

namespace genzo {

// The networks of a device that stand beside models: control networks and image
// prompt adapters in the folders of the configuration, read when a job first
// names them, and kept while there is room. What a job holds stays.
class SideNetworks : public BesideModels {
 public:
  struct Folders {
    std::vector<std::string> controls;
    std::vector<std::string> adapters;
  };

  // Looks through the folders.
  SideNetworks(Folders folders, const Placement& placement, SpareMemory memory);

  // Finds what is new, has changed or is gone: of control networks, every
  // folder with a config.json and every safetensors file is one, of adapters
  // every such file, by its name without the ending. What cannot be read is
  // left out, and the log says so once. Returns whether anything was found.
  // For one thread at a time.
  bool Look() ABSL_LOCKS_EXCLUDED(mutex_);

  // Names of those that fit models with that PipelineTraits::control_fit or
  // ::picture_fit, sorted. Any thread.
  std::vector<std::string> ControlsFor(const std::string& fit) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> AdaptersFor(const std::string& fit) const
      ABSL_LOCKS_EXCLUDED(mutex_);

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

  std::vector<IdleBeside> Idle() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Drop(const std::vector<int64_t>& uses) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Known {
    std::string path;
    std::string fit;
    std::string id;  // another once its files have changed
  };
  // What is on disk, by name.
  using Shelf = std::map<std::string, Known>;
  struct Resident {
    std::shared_ptr<const void> network;
    int64_t bytes = 0;
    int64_t last_used = 0;
  };
  using Residents = std::map<std::string, Resident>;  // by id

  // What lies in `folders` now. `fit_at` is asked for what `before` has not.
  template <typename FitAt>
  Shelf Scan(WatchedFolders& folders, const FitAt& fit_at, const Shelf& before);
  // To the log, unless it said the same of `path` before.
  void Say(const std::string& path, const std::string& what);
  // `bytes` and `load` are asked for what is not in memory.
  template <typename Network, typename Bytes, typename Load>
  absl::StatusOr<std::shared_ptr<const Network>> Get(Shelf SideNetworks::*shelf,
                                                     const std::string& name,
                                                     const std::string& fit,
                                                     const Bytes& bytes,
                                                     const Load& load)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Known> Find(Shelf SideNetworks::*shelf,
                             const std::string& name,
                             const std::string& fit) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Null if it is not in memory.
  std::shared_ptr<const void> InMemory(const std::string& id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops what no job holds and `unwanted` says.
  template <typename Unwanted>
  void DropIf(const Unwanted& unwanted) ABSL_LOCKS_EXCLUDED(mutex_);

  WatchedFolders control_folders_, adapter_folders_;  // Look()'s own
  const Placement placement_;
  const SpareMemory memory_;
  std::map<std::string, std::string> said_;  // by path; Look()'s own
  mutable absl::Mutex mutex_;
  Shelf controls_ ABSL_GUARDED_BY(mutex_);
  Shelf adapters_ ABSL_GUARDED_BY(mutex_);
  Residents residents_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_SIDE_NETWORKS_H_
