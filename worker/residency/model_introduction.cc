#include "worker/residency/model_introduction.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "worker/device/exception_status.h"
#include "worker/residency/model_description.h"

namespace genzo {
namespace {

// How long a model may be measured: at leisure, and while others run.
constexpr absl::Duration kProfileBudget = absl::Seconds(3);
constexpr absl::Duration kBusyProfileBudget = absl::Milliseconds(300);

}  // namespace

DeviceModels::DeviceModels(const Config& config, const EngineDevice& device,
                           const EngineDependencies& dependencies,
                           std::function<void()> on_unloaded)
    : config_(config),
      device_(device),
      dependencies_(dependencies),
      profiles_(config.profile_folder),
      pool_(config, device.placement, device.memory_bytes, dependencies.clock,
            dependencies.metrics,
            ModelPoolListener{.unloaded = std::move(on_unloaded),
                              .changed = [this] {
                                changed_ = true;
                                dependencies_.queue.Nudge();
                              }}) {
  for (const ModelConfig& model : config_.models) {
    descriptions_[model.id].set_id(model.id);
    Describe(model.id, v1::Model::STATE_LOADING);
  }
}

void DeviceModels::LoadConfigured(const std::atomic<bool>& stopping) {
  const auto adopt_next = [this] {
    pool_.AwaitChange();
    changed_ = true;  // the pool may not have said so yet
    Adopt(/*busy=*/false);
  };
  for (const ModelConfig& model : config_.models) {
    if (stopping) return;
    pool_.Request(model.id);
    adopt_next();
  }
  adopt_next();
}

void DeviceModels::Adopt(bool busy) {
  if (!changed_.exchange(false)) return;
  for (const ModelPool::Loaded& loaded : pool_.TakeLoaded()) {
    const auto profile = Profile(loaded, busy);
    if (profile.ok()) {
      Introduce(loaded, *profile);
    } else {
      pool_.Reject(loaded.id, profile.status());
    }
  }
  ready_ = pool_.ReadyIds();
  // What the registry says follows what is true now.
  for (const auto& [id, description] : descriptions_) {
    const v1::Model::State state = StateOf(description);
    if (description.state() != state ||
        description.pinned() != pool_.Pinned(id)) {
      Describe(id, state);
    }
  }
}

absl::StatusOr<StepProfile> DeviceModels::Profile(
    const ModelPool::Loaded& loaded, bool busy) const {
  const auto config = std::find_if(
      config_.models.begin(), config_.models.end(),
      [&](const ModelConfig& model) { return model.id == loaded.id; });
  const std::string key = ProfileKey(config->path, device_.placement,
                                     device_.threads, device_.fewer_threads);
  StepProfile profile;
  if (profiles_.Read(loaded.id, key, profile)) return profile;
  try {
    profile = MeasureStepProfile(
        *loaded.model,
        {.largest_rows = config_.max_batch_rows,
         .budget = busy ? kBusyProfileBudget : kProfileBudget,
         .threads = device_.threads,
         .fewer_threads = device_.fewer_threads},
        dependencies_.clock);
  } catch (const std::exception&) {
    return StatusFromException("measuring the model failed");
  }
  if (!busy) profiles_.Write(loaded.id, key, profile);
  return profile;
}

void DeviceModels::Introduce(const ModelPool::Loaded& loaded,
                             const StepProfile& profile) {
  const DiffusionModel& model = *loaded.model;
  profile_of_[loaded.id] = profile;
  descriptions_[loaded.id] = DescribeModel(loaded.id, model, profile, config_);
  const int64_t side = model.default_side_pixels();
  dependencies_.board.SetSpeed(loaded.id,
                               {.costs = profile.costs,
                                .own_pixels = side * side,
                                .largest_batch = config_.max_batch_rows,
                                .decode = profile.decode,
                                .evaluations = CountEvaluations(model)});
  ModelMetrics& metrics = dependencies_.metrics.ForModel(loaded.id);
  metrics.row_cap.Set(profile.costs.RowCap(config_.max_batch_rows));
  metrics.activation_bytes.Set(static_cast<double>(profile.activation_bytes));
  for (const auto& [rows, duration] : profile.costs.measured()) {
    metrics.ProfileSeconds(rows).Set(absl::ToDoubleSeconds(duration));
  }
  // Before those who wait for it hear.
  Describe(loaded.id, v1::Model::STATE_RESIDENT);
  pool_.Ready(loaded.id, profile.activation_bytes);
}

int DeviceModels::RowsThatFit(const std::string& id, int64_t pixels) const {
  const v1::Model& own = descriptions_.at(id);
  const double own_pixels =
      static_cast<double>(own.default_width()) * own.default_height();
  return genzo::RowsThatFit(profile(id),
                            static_cast<double>(pixels) / own_pixels,
                            pool_.BytesLeft(id));
}

v1::Model::State DeviceModels::StateOf(const v1::Model& description) const {
  if (ready_.count(description.id()) > 0) return v1::Model::STATE_RESIDENT;
  if (!pool_.Failure(description.id()).ok()) return v1::Model::STATE_FAILED;
  return description.has_limits() ? v1::Model::STATE_UNLOADED
                                  : v1::Model::STATE_LOADING;
}

void DeviceModels::Describe(const std::string& id, v1::Model::State state) {
  v1::Model& description = descriptions_[id];
  description.set_state(state);
  description.clear_error();
  if (state == v1::Model::STATE_FAILED) {
    description.set_error(std::string(pool_.Failure(id).message()));
  }
  description.set_pinned(pool_.Pinned(id));
  dependencies_.metrics.ForModel(id).loaded.Set(
      state == v1::Model::STATE_RESIDENT ? 1 : 0);
  v1::Model told = description;
  if (state != v1::Model::STATE_RESIDENT) told.clear_weight_bytes();
  dependencies_.catalog.Put(told, device_.index);
}

}  // namespace genzo
