#include "server/stall_watch.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

// What a device has, painted or not.
struct Taken {
  double jobs = 0;
  absl::Duration longest_step = absl::ZeroDuration();
};

// An evaluation of as many rows as the device takes together.
absl::Duration FullStep(const ModelSpeeds& speeds, int device,
                        const JobDemand& demand) {
  const DemandSpeed speed = speeds.Of(device, demand);
  return speed.costs.known() ? speed.costs.At(speed.row_cap) * demand.load
                             : absl::ZeroDuration();
}

// Jobs of `models` that each device has. Pictures that are only enlarged take
// no steps.
std::vector<Taken> JobsTaken(const Backlog& backlog, size_t devices,
                             const std::set<std::string>& models,
                             const ModelSpeeds* speeds) {
  std::vector<Taken> taken(devices);
  for (const BacklogJob& job : backlog.Snapshot(/*most_waiting=*/0).jobs) {
    const size_t device = static_cast<size_t>(job.device.value_or(-1));
    if (device >= devices || models.count(job.demand.model) == 0) continue;
    ++taken[device].jobs;
    if (speeds == nullptr) continue;
    taken[device].longest_step =
        std::max(taken[device].longest_step,
                 FullStep(*speeds, static_cast<int>(device), job.demand));
  }
  return taken;
}

}  // namespace

std::string StallWatch::Look(const Seen& seen, absl::Time now) {
  const bool moved = seen.evaluations != evaluations_;
  const bool loaded = loading_ && !seen.loading;
  evaluations_ = seen.evaluations;
  loading_ = seen.loading;
  if (moved || loaded || seen.jobs == 0) moved_ = now;
  const absl::Duration still = now - moved_;
  const absl::Duration most =
      std::max(seen.loading ? kLoadingPatience * most_ : most_,
               kStepPatience * seen.longest_step);
  if (still < most) return "";
  return absl::StrFormat("no %s for %.0f s while %.0f jobs wait or run%s",
                         step_, absl::ToDoubleSeconds(still), seen.jobs,
                         seen.loading ? ", maybe for a model" : "");
}

PoolStallWatch::PoolStallWatch(const std::vector<std::string>& devices,
                               absl::Duration most, const ModelSpeeds* speeds)
    : speeds_(speeds), pool_(most), enlarging_(most, "tile") {
  for (const std::string& device : devices) devices_.emplace_back(device, most);
}

std::string PoolStallWatch::Look(const ModelCatalog& catalog, Metrics& metrics,
                                 const Backlog& backlog,
                                 const Backlog& upscaling, absl::Time now) {
  StallWatch::Seen pool;
  std::set<std::string> models;
  double running = 0;
  for (const v1::Model& model : catalog.List()) {
    models.insert(model.id());
    const ModelMetrics& figures = metrics.ForModel(model.id());
    pool.evaluations += figures.denoise_batches.Value();
    running += figures.jobs_running.Value();
    pool.jobs += figures.Queued() + figures.jobs_running.Value();
    pool.loading = pool.loading || model.state() == v1::Model::STATE_LOADING;
  }
  const auto taken = JobsTaken(backlog, devices_.size(), models, speeds_);
  // Jobs run from when they have their model on.
  double all_taken = 0;
  for (const Taken& of_device : taken) {
    all_taken += of_device.jobs;
    pool.longest_step = std::max(pool.longest_step, of_device.longest_step);
  }
  const bool some_lack_model = all_taken > running;
  std::vector<std::string> hang;
  double all_tiles = 0;
  for (size_t i = 0; i < devices_.size(); ++i) {
    auto& [name, watch] = devices_[i];
    const DeviceMetrics figures = metrics.ForDevice(name);
    const double live = figures.live_images.Value();
    const double tiles = figures.upscale_tiles.Value();
    all_tiles += tiles;
    const bool loading = some_lack_model && live == 0 && taken[i].jobs > 0;
    pool.loading = pool.loading || loading;
    const std::string why =
        watch.Look({.evaluations = figures.last_step.Value() + tiles,
                    .jobs = std::max(live, taken[i].jobs),
                    .loading = loading,
                    .longest_step = taken[i].longest_step},
                   now);
    if (!why.empty()) hang.push_back(absl::StrCat("device ", name, ": ", why));
  }
  // Always asked: they count from when they saw something move.
  const std::string enlarging = enlarging_.Look(
      {.evaluations = all_tiles, .jobs = static_cast<double>(upscaling.size())},
      now);
  if (!enlarging.empty()) {
    hang.push_back(absl::StrCat("enlarging: ", enlarging));
  }
  pool.evaluations += all_tiles;
  const std::string all = pool_.Look(pool, now);
  return hang.empty() ? all : absl::StrJoin(hang, "; ");
}

}  // namespace genzo
