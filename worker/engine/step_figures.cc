#include "worker/engine/step_figures.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "base/tracing.h"

namespace genzo {

StepFigures::StepFigures(const EngineDevice& device,
                         const EngineDependencies& dependencies)
    : device_(device),
      dependencies_(dependencies),
      figures_(dependencies.metrics.ForDevice(device.name())) {}

void StepFigures::Observe(const Batch& batch, absl::Time begin,
                          absl::Time end) {
  const JobDemand& demand = batch.demand;
  const ModelMetrics& metrics = dependencies_.metrics.ForModel(demand.model);
  const double seconds = absl::ToDoubleSeconds(end - begin);
  metrics.StepSeconds(demand.pixels, batch.padded_rows).Observe(seconds);
  metrics.batch_size.Observe(batch.rows);
  // One image may have more rows than the shape is worth.
  metrics.row_places.Increment(std::max(batch.row_cap, batch.rows));
  metrics.denoise_batches.Increment();
  metrics.denoise_steps.Increment(static_cast<double>(batch.runs.size()));
  if (device_.placement.device.is_cpu()) {
    metrics.core_seconds.Increment(seconds * device_.threads);
  } else {
    metrics.gpu_seconds.Increment(seconds);
  }
  if (evaluated_ < begin) {
    metrics.step_overhead_seconds.Observe(
        absl::ToDoubleSeconds(begin - evaluated_));
  }
  evaluated_ = end;
  figures_.busy_seconds.Increment(seconds);
  figures_.last_step.Set(
      absl::ToDoubleSeconds(dependencies_.clock.Date() - absl::UnixEpoch()));
  RecordStep(batch, begin, end);
}

// One span for all jobs of the evaluation, which it links to.
void StepFigures::RecordStep(const Batch& batch, absl::Time begin,
                             absl::Time end) {
  if (dependencies_.tracer == nullptr) return;
  Span step = {.name = kStepSpan,
               .context = dependencies_.tracer->Begin(std::nullopt),
               .begin = dependencies_.clock.ToDate(begin),
               .end = dependencies_.clock.ToDate(end)};
  std::set<const JobState*> jobs;
  for (const LiveRun* live : batch.runs) {
    const auto job = ParseTraceparent(live->job->traceparent());
    if (!job.has_value() || !job->sampled) continue;
    if (jobs.insert(live->job.get()).second) step.links.push_back(*job);
  }
  if (step.links.empty()) return;
  step.context.sampled = true;  // as its jobs are
  step.attributes = {{"gen_ai.request.model", batch.job().demand().model},
                     {"genzo.device", device_.name()},
                     {"genzo.rows", int64_t{batch.rows}},
                     {"genzo.row_cap", int64_t{batch.row_cap}},
                     {"genzo.images", static_cast<int64_t>(batch.runs.size())}};
  dependencies_.tracer->Record(std::move(step));
}

}  // namespace genzo
