#ifndef GENZO_WORKER_RESIDENCY_MODEL_INTRODUCTION_H_
#define GENZO_WORKER_RESIDENCY_MODEL_INTRODUCTION_H_

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config.h"
#include "genzo/v1/model_registry.pb.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/model_pool.h"
#include "worker/residency/step_profile.h"

namespace genzo {

// The models of one engine, and what the rest of the world knows of them: the
// pool loads them, and here they are measured, their speed told to the load
// board, their state to the catalog and the metrics. But for pool(), for the
// engine's thread alone, as measuring runs the model.
class DeviceModels {
 public:
  // All configured models are "loading" at once, so that an early request does
  // not hear "unknown". `on_unloaded` is called on the loading thread after a
  // model left memory. `config` and `dependencies` outlive this.
  DeviceModels(const Config& config, const EngineDevice& device,
               const EngineDependencies& dependencies,
               std::function<void()> on_unloaded);

  // Loads and adopts all configured models, unless `stopping` becomes true.
  void LoadConfigured(const std::atomic<bool>& stopping);

  // Measures what was loaded since, briefly if others run meanwhile (`busy`),
  // and tells everybody what has changed. Costs nothing if nothing has.
  void Adopt(bool busy);

  // Models that jobs could use when Adopt() last looked.
  const std::set<std::string>& ready() const { return ready_; }

  // What was measured of a model that was adopted before.
  const StepProfile& profile(const std::string& id) const {
    return profile_of_.at(id);
  }

  // Rows of pictures of `pixels` pixels that the memory budget has room for, at
  // least 1; of a model that was adopted before.
  int RowsThatFit(const std::string& id, int64_t pixels) const;

  ModelPool& pool() { return pool_; }

 private:
  absl::StatusOr<StepProfile> Profile(const ModelPool::Loaded& loaded,
                                      bool busy) const;
  void Introduce(const ModelPool::Loaded& loaded, const StepProfile& profile);
  void Describe(const std::string& id, v1::Model::State state);
  v1::Model::State StateOf(const v1::Model& description) const;

  const Config& config_;
  const EngineDevice device_;
  const EngineDependencies dependencies_;
  const ProfileStore profiles_;
  std::map<std::string, v1::Model> descriptions_;  // of models seen so far
  std::set<std::string> ready_;
  std::map<std::string, StepProfile> profile_of_;  // by model
  std::atomic<bool> changed_{true};                // since Adopt() last looked
  ModelPool pool_;  // last: its thread calls back
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_INTRODUCTION_H_
