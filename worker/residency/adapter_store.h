#ifndef GENZO_WORKER_RESIDENCY_ADAPTER_STORE_H_
#define GENZO_WORKER_RESIDENCY_ADAPTER_STORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/metrics.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/device/placement.h"
#include "worker/residency/lora_library.h"
#include "worker/residency/model_source.h"
#include "worker/residency/spare_memory.h"

namespace genzo {

// The adapters of one device in memory: a part of what its models leave, and no
// more than a bound; whichever the store's or the device's needs, those that no
// job has go, the longest unused first. Reads files on a thread of its own, job
// by job in the order in which they asked, so that jobs that wait do not push
// out each other's. Thread-safe.
class AdapterStore : public BesideModels {
 public:
  // `library` outlives the store; null: there are no adapters. `figures`
  // are of its device and hear what is in memory. `on_change` is
  // called whenever a job's have come, or cannot, or a job that others wait for
  // has let go of its own; on the store's thread or the one that did.
  AdapterStore(const LoraLibrary* library, const Placement& placement,
               int64_t budget_bytes, SpareMemory memory,
               const DeviceMetrics& figures, std::function<void()> on_change);
  // Drops what waits. What was fetched may outlive the store.
  ~AdapterStore() override;

  // What the job of that id is to be painted with; nullopt until it is in
  // memory: ask again. What came for a model that has given way to another of
  // its id since is fetched anew. Errors name the field, "loras[1].name".
  using Fetched = absl::StatusOr<AdapterUses>;
  std::optional<Fetched> Fetch(const std::string& job,
                               const v1::GenerateRequest& request,
                               const ModelRef& model)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The job will not ask again.
  void Forget(const std::string& job) ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets go of all that no job has, as when a model leaves memory.
  void Clear() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until a job's have come. False, at once, if none are to come without
  // something else before: a model, or the room that another job has.
  bool AwaitChange() ABSL_LOCKS_EXCLUDED(mutex_);

  int64_t bytes() const ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<IdleBeside> Idle() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Drop(const std::vector<int64_t>& uses) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using AdapterRef = std::shared_ptr<const LoraAdapter>;
  // The targets tell one model in memory from others.
  using Key = std::pair<std::shared_ptr<const AdapterTargets>, std::string>;
  struct Kept {
    AdapterRef adapter;
    int64_t bytes = 0;
    int64_t last_used = 0;
  };
  struct Order {
    std::string job;
    v1::GenerateRequest request;  // its adapters alone, and its model's id
    ModelRef model;               // of the first alone: the others' may leave
  };
  struct Answer {
    std::shared_ptr<const AdapterTargets> targets;  // of whose model
    Fetched fetched;
  };
  // Told when a job lets go of an adapter.
  struct Release;

  void Loop();
  // Nullopt while there is no room.
  std::optional<Fetched> TryFetch(const Order& order)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<absl::StatusOr<AdapterRef>> Get(const LoraLibrary::File& file,
                                                const Order& order)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the store may take so many bytes more; what goes for them has gone.
  bool MakeRoom(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Null if it is not in memory.
  AdapterRef Find(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);
  // As a job has it.
  AdapterRef Handed(AdapterRef adapter) const;
  // Whether all of them together could ever fit.
  absl::Status CheckSizes(const std::vector<LoraLibrary::File>& files,
                          const Order& order) const;
  void Tell() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LoraLibrary* const library_;
  const Placement placement_;
  const int64_t budget_bytes_;
  const SpareMemory memory_;
  const DeviceMetrics figures_;
  const std::function<void()> on_change_;
  const std::shared_ptr<Release> release_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool look_ ABSL_GUARDED_BY(mutex_) = false;
  bool news_ ABSL_GUARDED_BY(mutex_) = false;
  // The first waits for room, since it was last looked at.
  bool short_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Order> orders_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Answer> answers_ ABSL_GUARDED_BY(mutex_);  // by job
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Key, Kept> kept_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_ADAPTER_STORE_H_
