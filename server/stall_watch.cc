#include "server/stall_watch.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace genzo {

std::string StallWatch::Look(const Seen& seen, absl::Time now) {
  const bool moved = seen.evaluations != evaluations_;
  evaluations_ = seen.evaluations;
  if (moved || seen.loading || seen.jobs == 0) moved_ = now;
  const absl::Duration still = now - moved_;
  if (still < most_) return "";
  return absl::StrFormat("no step for %.0f s while %.0f jobs wait or run",
                         absl::ToDoubleSeconds(still), seen.jobs);
}

PoolStallWatch::PoolStallWatch(const std::vector<std::string>& devices,
                               absl::Duration most)
    : pool_(most) {
  for (const std::string& device : devices) devices_.emplace(device, most);
}

std::string PoolStallWatch::Look(const ModelCatalog& catalog, Metrics& metrics,
                                 absl::Time now) {
  StallWatch::Seen seen;
  for (const v1::Model& model : catalog.List()) {
    const ModelMetrics& figures = metrics.ForModel(model.id());
    seen.evaluations += figures.denoise_batches.Value();
    seen.jobs += figures.Queued() + figures.jobs_running.Value();
    seen.loading = seen.loading || model.state() == v1::Model::STATE_LOADING;
  }
  std::string why = pool_.Look(seen, now);
  for (auto& [name, watch] : devices_) {
    const DeviceMetrics figures = metrics.ForDevice(name);
    const std::string hangs =
        watch.Look({.evaluations = figures.last_step.Value(),
                    .jobs = figures.live_images.Value(),
                    .loading = seen.loading},
                   now);
    if (why.empty() && !hangs.empty()) {
      why = absl::StrCat("device ", name, ": ", hangs);
    }
  }
  return why;
}

}  // namespace genzo
