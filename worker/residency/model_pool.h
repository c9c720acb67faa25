#ifndef GENZO_WORKER_RESIDENCY_MODEL_POOL_H_
#define GENZO_WORKER_RESIDENCY_MODEL_POOL_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "queue/model_control.h"
#include "worker/pipeline/stable_diffusion.h"
#include "worker/residency/eviction.h"

namespace genzo {

// What a model pool tells its engine. Called on the loading thread, a pin's
// change on that of Load(); must not block.
struct ModelPoolListener {
  std::function<void()> unloaded;
  // There is something to do: a model was loaded, or could not be, or leaves,
  // or was pinned.
  std::function<void()> changed;
};

// The models of one device: loads them on a thread of its own while others run,
// makes room within the budget, and gives memory back. A model leaves memory
// only when nobody holds it. Thread-safe.
class ModelPool {
 public:
  using Model = std::shared_ptr<const DiffusionModel>;

  // `clock` and `metrics` outlive the pool; so does what `listener` uses.
  ModelPool(const Config& config, const Placement& placement,
            int64_t budget_bytes, const Clock& clock, Metrics& metrics,
            ModelPoolListener listener);
  // All models must have been given back.
  ~ModelPool();

  // The model, held until the pointer goes; null unless it is ready.
  Model Hold(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sees to it that the model is loaded some time. Cheap if it is.
  void Request(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Load(const std::string& id, std::optional<bool> pinned,
            const ModelControl::Done& done) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unload(const std::string& id, const ModelControl::Done& done)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Models that were loaded since the last call. They are not ready, and their
  // Load() is not answered, until the engine has measured them and says so.
  struct Loaded {
    std::string id;
    Model model;
  };
  std::vector<Loaded> TakeLoaded() ABSL_LOCKS_EXCLUDED(mutex_);
  void Ready(const std::string& id, int64_t activation_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops a model that could not be measured.
  void Reject(const std::string& id, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until a model was loaded or could not be, or nothing is under way.
  void AwaitChange() ABSL_LOCKS_EXCLUDED(mutex_);

  // Why the last attempt to load failed; OK if it did not.
  absl::Status Failure(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::set<std::string> ReadyIds() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Pinned(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // What the models in memory leave of the budget to one evaluation of the
  // model: on a GPU, others keep the memory of theirs.
  int64_t BytesLeft(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Loads nothing any more; what waits for it fails with UNAVAILABLE.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One configured model.
  struct Slot {
    // Whether jobs may take hold of it.
    bool usable() const { return model != nullptr && ready && !leaving; }
    // Whether the engine has yet to hear of it.
    bool is_news() const { return model != nullptr && !ready && !reported; }

    std::string path;
    std::shared_ptr<const DiffusionModel> model;  // null: not in memory
    bool ready = false;
    bool reported = false;  // to the engine, by TakeLoaded()
    bool leaving = false;   // nobody may take hold of it any more
    bool pinned = false;
    int holders = 0;
    int64_t bytes = 0;             // while in memory
    int64_t activation_bytes = 0;  // the last measured
    int64_t last_used = 0;
    absl::Status failure;
    std::vector<ModelControl::Done> waiting;  // for Load()
  };
  struct Order {
    std::string id;
    bool load = true;         // or unload
    ModelControl::Done done;  // of an unload
  };

  void Loop();
  void Execute(const Order& order) ABSL_LOCKS_EXCLUDED(mutex_);
  void LoadModel(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status MakeRoom(const std::string& id, int64_t bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until nobody holds the model, and frees it.
  void FreeModel(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(const std::string& id, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  Model HoldLocked(const std::string& id, Slot& slot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why no order for the model is taken; OK if it is.
  absl::Status RefusalLocked(const std::string& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool OrderedLocked(const std::string& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Placement placement_;
  const int64_t budget_bytes_;
  const Clock& clock_;
  Metrics& metrics_;
  const ModelPoolListener listener_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t uses_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Slot> slots_ ABSL_GUARDED_BY(mutex_);
  std::deque<Order> orders_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_POOL_H_
