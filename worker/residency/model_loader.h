#ifndef GENZO_WORKER_RESIDENCY_MODEL_LOADER_H_
#define GENZO_WORKER_RESIDENCY_MODEL_LOADER_H_

#include <functional>
#include <map>
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
#include "worker/device/placement.h"
#include "worker/residency/model_slots.h"
#include "worker/residency/model_source.h"

namespace genzo {

// What a loader tells its engine. Called on the loading thread or on that of
// Load() and Unload(); must not block.
struct ModelLoaderListener {
  // A model has left memory.
  std::function<void()> unloaded;
  // There is something to do: a model was loaded, or could not be, or leaves,
  // or was pinned.
  std::function<void()> changed;
  // What is idle beside the models, and drops of it what had its last use then,
  // with ReleaseBeside(). On the loading thread or that of ReserveBeside() and
  // TryReserveBeside(); must not wait for another's.
  std::function<std::vector<IdleBeside>()> idle_beside = nullptr;
  std::function<void(const std::vector<int64_t>& uses)> drop_beside = nullptr;
};

// The models of one device in memory. Does what ModelSlots decides, on a thread
// of its own while others run: reads, loads, frees. Nothing that goes wrong
// there ends the process: it fails that model. Thread-safe.
class ModelLoader {
 public:
  // `clock` and `metrics` outlive the loader; so does what `listener` uses.
  ModelLoader(const Config& config, const Placement& placement,
              int64_t budget_bytes, ModelSource source, const Clock& clock,
              Metrics& metrics, ModelLoaderListener listener);
  // All models must have been given back.
  ~ModelLoader();

  // The model, held until the pointer goes; null unless it is ready.
  ModelRef Hold(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // As ModelSlots says; only if there is room, where the source can describe.
  void Add(const ModelConfig& model) ABSL_LOCKS_EXCLUDED(mutex_);

  // Likewise. `done` is called on this thread or on another, with no
  // lock held.
  void Request(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Load(const std::string& id, std::optional<bool> pinned,
            const ModelControl::Done& done) ABSL_LOCKS_EXCLUDED(mutex_);
  void RefuseLoads(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unload(const std::string& id, const ModelControl::Done& done)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Models that were loaded since the last call. They are not ready, and their
  // Load() is not answered, until the engine has measured them and says so.
  struct Loaded {
    std::string id;
    ModelRef model;
    ModelFiles files;
  };
  std::vector<Loaded> TakeLoaded() ABSL_LOCKS_EXCLUDED(mutex_);
  // Models that were described since the last call: `model` computes nothing.
  // To be asked after TakeLoaded(), as one may have been loaded since.
  struct Described {
    std::string id;
    ModelRef model;
    ModelFiles files;
    int64_t weight_bytes;  // that it would take
  };
  std::vector<Described> TakeDescribed() ABSL_LOCKS_EXCLUDED(mutex_);
  void Ready(const std::string& id, int64_t activation_bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops a model that could not be measured.
  void Reject(const std::string& id, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until a model was loaded, could not be, or left. False, at once, if
  // no model is to come or to go.
  bool AwaitChange() ABSL_LOCKS_EXCLUDED(mutex_);
  // Has AwaitChange() return: something else has happened that its caller may
  // have to see to, before a model can leave.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  bool Leaving(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Failure(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status NewerFailure(const std::string& id) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::set<std::string> ReadyIds() const ABSL_LOCKS_EXCLUDED(mutex_);
  // What the last load of each model took that is not ready.
  std::map<std::string, absl::Duration> MissingLoads() const
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool Pinned(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t BytesLeft(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Of things beside the models, as ModelSlots says; waits until those that
  // leave have left. Not for the loading thread, nor for one that a job waits
  // for to give its model back.
  absl::Status ReserveBeside(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for `user`, without waiting.
  absl::Status TryReserveBeside(int64_t bytes, const std::string& user)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseBeside(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t MostBeside(const std::string& user) const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t NextUse() ABSL_LOCKS_EXCLUDED(mutex_);

  // Loads nothing any more; what waits for it fails with UNAVAILABLE/DRAINING.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct InMemory {
    ModelRef model;
    ModelFiles files;
  };

  void Loop();
  void Execute(const ModelSlots::Task& task) ABSL_LOCKS_EXCLUDED(mutex_);
  // What the tasks do; exceptions are caught by Execute().
  absl::Status Size(const ModelSlots::Task& task) ABSL_LOCKS_EXCLUDED(mutex_);
  void Vet(const ModelSlots::Task& task) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Describe(const ModelSlots::Task& task)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoadNow(const ModelSlots::Task& task)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Free(const ModelSlots::Task& task) ABSL_LOCKS_EXCLUDED(mutex_);
  void Fail(const ModelSlots::Task& task, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<ModelBytes> BytesOf(const ModelFiles& files) const;
  void Release(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<IdleBeside> Idle() const;
  // As ModelSlots's; has dropped what was to be, and asked again. `freed` is
  // freed_ when it did.
  absl::Status AskBeside(int64_t bytes, const std::string& user, int64_t& freed)
      ABSL_LOCKS_EXCLUDED(mutex_);
  ModelRef HeldLocked(const std::string& id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Changes the slots, has the thread look at them, and answers who is due.
  template <typename Change>
  void With(const Change& change) ABSL_LOCKS_EXCLUDED(mutex_);

  const Placement placement_;
  const ModelSource source_;
  const Clock& clock_;
  Metrics& metrics_;
  const ModelLoaderListener listener_;
  mutable absl::Mutex mutex_;
  ModelSlots slots_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, InMemory> models_ ABSL_GUARDED_BY(mutex_);
  std::vector<Described> described_ ABSL_GUARDED_BY(mutex_);
  // The last of each model's.
  std::map<std::string, absl::Duration> load_times_ ABSL_GUARDED_BY(mutex_);
  bool look_ ABSL_GUARDED_BY(mutex_) = true;   // slots have changed: see Next()
  bool news_ ABSL_GUARDED_BY(mutex_) = false;  // since AwaitChange() returned
  int64_t freed_ ABSL_GUARDED_BY(mutex_) = 0;  // models, so far
  std::thread thread_;                         // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_LOADER_H_
