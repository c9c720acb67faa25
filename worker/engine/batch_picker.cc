#include "worker/engine/batch_picker.h"

#include <algorithm>
#include <set>
#include <string>

namespace genzo {

ShapeLimits BatchPicker::LimitsOf(const LiveRun& live,
                                  bool reproducible) const {
  const JobDemand demand = DemandOfStage(live);
  const ModelSpeeds& speeds = dependencies_.load.speeds();
  ShapeLimits limits;
  if (reproducible) {
    limits.row_cap = models_.ReproducibleRows(demand.model, demand.pixels);
  } else {
    const int fit = models_.RowsThatFit(demand.model, demand.pixels);
    const int worth =
        speeds.RowCap(device_.index, demand, config_.max_batch_rows);
    limits.row_cap =
        memory_caps_.Cap(demand.model, demand.pixels, std::min(worth, fit),
                         dependencies_.clock.Now());
    limits.memory_rows = fit;
  }
  limits.times = speeds.StepSeconds(device_.index, demand,
                                    std::max(limits.row_cap, live.run.rows()));
  return limits;
}

Candidates BatchPicker::CandidatesOf(
    absl::Span<const std::unique_ptr<LiveRun>> live) const {
  const absl::Time now = dependencies_.clock.Now();
  Candidates candidates;
  std::set<std::string> reproducible;  // shapes
  for (const auto& run : live) {
    if (run->reproducible) reproducible.insert(run->run.shape());
  }
  for (const auto& run : live) {
    const JobDemand& demand = run->job->demand();
    const std::string& shape = run->run.shape();
    const auto [limits, is_new] = candidates.shapes.try_emplace(shape);
    if (is_new) {
      limits->second = LimitsOf(*run, reproducible.count(shape) > 0);
    }
    const int rows = run->run.rows();
    const double load = run->run.load();
    candidates.runs.push_back(
        {.shape = shape,
         .tenant = demand.tenant,
         .priority = demand.priority,
         .rows = rows,
         .load = load,
         .cost = limits->second.TimeOf(rows) * load,
         .slack = absl::ToDoubleSeconds(run->latest_start - now),
         .waited = run->waited,
         .fresh = run->run.progress().evaluations_done == 0,
         .reproducible = run->reproducible});
  }
  return candidates;
}

Batch BatchPicker::Pick(absl::Span<const std::unique_ptr<LiveRun>> live) {
  const Candidates candidates = CandidatesOf(live);
  Batch batch;
  double loads = 0;  // of all rows
  for (int index : scheduler_.WhomToPick(candidates)) {
    const Candidate& picked = candidates.runs[index];
    batch.runs.push_back(live[index].get());
    batch.rows += picked.rows;
    loads += picked.rows * picked.load;
    batch.row_cap = candidates.shapes.at(picked.shape).row_cap;
    if (picked.reproducible) batch.padded_rows = batch.row_cap;
  }
  if (!batch.runs.empty()) {
    batch.load = loads / batch.rows;
    batch.demand = DemandOfStage(*batch.runs[0]);
  }
  batch.padded_rows = std::max(batch.padded_rows, batch.rows);
  for (const auto& run : live) ++run->waited;
  for (LiveRun* run : batch.runs) run->waited = 0;
  return batch;
}

}  // namespace genzo
