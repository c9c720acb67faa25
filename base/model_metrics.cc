#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/draining.h"
#include "base/metric_families.h"

// A model's own figures.

namespace genzo {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets& StepBuckets() {
  static const auto* const buckets = new Buckets{
      0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5};
  return *buckets;
}

const Buckets& RowBuckets() {
  static const auto* const buckets =
      new Buckets{1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
  return *buckets;
}

const Buckets& ErrorBuckets() {
  static const auto* const buckets =
      new Buckets{0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2};
  return *buckets;
}

// Of all that is no evaluation.
const Buckets& OverheadBuckets() {
  static const auto* const buckets =
      new Buckets{0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2};
  return *buckets;
}

}  // namespace

prometheus::Histogram& ModelMetrics::StepSeconds(int64_t pixels,
                                                 int rows) const {
  size_t side = 0;
  while (side + 1 < kStepSides.size() &&
         pixels > int64_t{kStepSides[side]} * kStepSides[side]) {
    ++side;
  }
  size_t row = 0;
  while (row + 1 < kStepRows.size() && rows > kStepRows[row]) ++row;
  auto& slot = step_classes[side * kStepRows.size() + row];
  prometheus::Histogram* histogram = slot.load(std::memory_order_acquire);
  if (histogram == nullptr) {
    histogram = &step_seconds.Add({{"model", model},
                                   {"size", absl::StrCat(kStepSides[side])},
                                   {"rows", absl::StrCat(kStepRows[row])}},
                                  StepBuckets());
    slot.store(histogram, std::memory_order_release);
  }
  return *histogram;
}

double ModelMetrics::Queued() const {
  double queued = 0;
  for (const prometheus::Gauge* depth : queue_depth) queued += depth->Value();
  return queued;
}

void ModelMetrics::CountEnd(const absl::Status& status, int64_t steps_left,
                            bool filtered) const {
  const bool unwanted =
      absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
  if (unwanted) steps_saved.Increment(static_cast<double>(steps_left));
  prometheus::Counter& succeeded = filtered ? jobs_filtered : jobs_succeeded;
  prometheus::Counter& outcome = status.ok()                 ? succeeded
                                 : absl::IsCancelled(status) ? jobs_cancelled
                                 : unwanted                  ? jobs_expired
                                 : IsDraining(status)        ? jobs_drained
                                                             : jobs_failed;
  outcome.Increment();
}

prometheus::Gauge& ModelMetrics::ProfileSeconds(int rows) const {
  return profile_seconds.Add({{"model", model}, {"rows", absl::StrCat(rows)}});
}

ModelMetrics& Metrics::ForModel(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  auto& entry = models_[model];
  if (entry != nullptr) return *entry;
  const Families& all = *families_;
  const prometheus::Labels labels = {{"model", model}};
  const auto with = [&](auto& family, const char* label,
                        const char* value) -> auto& {
    return family.Add({{"model", model}, {label, value}});
  };
  const auto stage = [&](const char* name) -> prometheus::Histogram& {
    return all.job_duration.Add({{"model", model}, {"stage", name}},
                                JobBuckets());
  };
  const auto depth = [&](const char* priority) {
    return &with(all.queue_depth, "priority", priority);
  };
  // make_unique cannot fill an aggregate with clang 14.
  // NOLINTNEXTLINE(modernize-make-unique)
  entry = std::unique_ptr<ModelMetrics>(new ModelMetrics{
      .jobs_succeeded = with(all.jobs, "outcome", "succeeded"),
      .jobs_filtered = with(all.jobs, "outcome", "filtered"),
      .jobs_failed = with(all.jobs, "outcome", "failed"),
      .jobs_cancelled = with(all.jobs, "outcome", "cancelled"),
      .jobs_expired = with(all.jobs, "outcome", "expired"),
      .jobs_drained = with(all.jobs, "outcome", "drained"),
      .jobs_running = all.running.Add(labels),
      .queue_seconds = stage("queue"),
      .encode_seconds = stage("encode"),
      .denoise_seconds = stage("denoise"),
      .decode_seconds = stage("decode"),
      .encode_image_seconds = stage("encode_image"),
      .total_seconds = stage("total"),
      .time_to_first_preview_seconds =
          all.first_preview.Add(labels, JobBuckets()),
      .step_overhead_seconds = all.step_overhead.Add(labels, OverheadBuckets()),
      .batch_size = all.batch_size.Add(labels, RowBuckets()),
      .row_places = all.row_places.Add(labels),
      .denoise_steps = all.steps.Add(labels),
      .denoise_batches = all.batches.Add(labels),
      .core_seconds = with(all.compute_seconds, "unit", "core"),
      .gpu_seconds = with(all.compute_seconds, "unit", "gpu"),
      .steps_saved = all.steps_saved.Add(labels),
      .images = all.images.Add(labels),
      .previews = all.previews.Add(labels),
      .loaded = all.loaded.Add(labels),
      .failed = all.failed.Add(labels),
      .load_seconds = all.load_duration.Add(labels),
      .load_failures = all.load_failures.Add(labels),
      .queue_depth = {depth("low"), depth("normal"), depth("high")},
      .queue_cost = all.queue_cost.Add(labels),
      .row_cap = all.row_cap.Add(labels),
      .weight_bytes = with(all.model_bytes, "kind", "weights"),
      .activation_bytes = with(all.model_bytes, "kind", "activations"),
      .text_hits = with(all.texts, "result", "hit"),
      .text_misses = with(all.texts, "result", "miss"),
      .prediction_error = all.prediction_error.Add(labels, ErrorBuckets()),
      .out_of_memory = all.out_of_memory.Add(labels),
      .profile_seconds = all.profile_seconds,
      .step_seconds = all.step_duration,
      .model = model});
  return *entry;
}

}  // namespace genzo
