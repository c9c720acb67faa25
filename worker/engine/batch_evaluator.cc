#include "worker/engine/batch_evaluator.h"

#include <string>
#include <utility>

#include "base/logging.h"
#include "worker/engine/evaluate.h"

namespace genzo {

absl::StatusOr<std::vector<at::Tensor>> BatchEvaluator::Together(
    const Batch& batch) {
  std::vector<Run*> runs;
  bool reproducible = false;
  for (LiveRun* live : batch.runs) {
    runs.push_back(&live->run);
    reproducible = reproducible || live->reproducible;
  }
  return genzo::Evaluate(runs, joiner_, reproducible ? batch.padded_rows : 0);
}

Predictions BatchEvaluator::Evaluate(const Batch& batch) {
  const absl::Time begin = dependencies_.clock.Now();
  auto together = Together(batch);
  if (absl::IsResourceExhausted(together.status())) {
    return OutOfMemory(batch, together.status());
  }
  health_.Evaluated(together.status(), dependencies_.clock.Now());
  if (!together.ok()) {
    spdlog::error("evaluation of {} runs failed: {}", batch.runs.size(),
                  std::string(together.status().message()));
    return EachAlone(batch);
  }
  const absl::Time end = dependencies_.clock.Now();
  // What is learned is of the model alone.
  dependencies_.load.speeds().Observe(device_.index, batch.demand,
                                      batch.padded_rows,
                                      (end - begin) / batch.load);
  figures_.Observe(batch, begin, end);
  Predictions predictions;
  for (at::Tensor& row : *together) predictions.push_back(std::move(row));
  return predictions;
}

bool BatchEvaluator::Probe() {
  health_.Probed(ProbeDevice(device_.placement.device),
                 dependencies_.clock.Now());
  return health_.usable();
}

// Whoever fails alone too is at fault, unless all do and the device is.
Predictions BatchEvaluator::EachAlone(const Batch& batch) {
  Predictions predictions;
  bool any = false;
  for (LiveRun* live : batch.runs) {
    const Batch alone = {.runs = {live},
                         .rows = live->run.rows(),
                         .padded_rows = live->reproducible ? batch.padded_rows
                                                           : live->run.rows(),
                         .demand = batch.demand};
    const auto predicted = Together(alone);
    health_.Evaluated(predicted.status(), dependencies_.clock.Now());
    any = any || predicted.ok();
    if (predicted.ok()) {
      predictions.emplace_back((*predicted)[0]);
    } else {
      predictions.emplace_back(predicted.status());
    }
  }
  if (!any && health_.usable()) Probe();
  return health_.usable() ? predictions
                          : Predictions(batch.runs.size(), std::nullopt);
}

// The runs stay as they were and are tried again, fewer at a time.
Predictions BatchEvaluator::OutOfMemory(const Batch& batch,
                                        const absl::Status& status) {
  const JobDemand& demand = batch.demand;
  dependencies_.metrics.ForModel(demand.model).out_of_memory.Increment();
  Forget();
  if (batch.padded_rows == batch.runs[0]->run.rows()) {
    return Predictions(batch.runs.size(), status);
  }
  // Other rows would be other bits: a reproducible run is refused instead.
  Predictions predictions;
  bool refused = false;
  for (const LiveRun* live : batch.runs) {
    predictions.emplace_back(std::nullopt);
    if (live->reproducible) predictions.back() = status;
    refused = refused || live->reproducible;
  }
  if (refused) return predictions;
  const int cap =
      memory_caps_.OutOfMemory(demand.model, demand.pixels, batch.padded_rows,
                               dependencies_.clock.Now());
  spdlog::warn("out of memory with {} rows of model {}; trying {}",
               batch.padded_rows, demand.model, cap);
  return predictions;
}

}  // namespace genzo
