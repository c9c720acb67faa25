#include "base/metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace genzo {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets& JobBuckets() {
  static const auto* const buckets =
      new Buckets{0.05, 0.1, 0.25, 0.5, 1,  2,  3,   5,   7.5, 10,
                  15,   20,  30,   45,  60, 90, 120, 300, 600};
  return *buckets;
}

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

// Upper ends of the row counts that genzo_step_duration_seconds tells apart;
// the last takes all above.
constexpr int kStepRowBuckets[] = {1, 2, 4, 8, 16, 32};

template <typename Builder>
auto& Register(Builder builder, prometheus::Registry& registry,
               const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

}  // namespace

void Metrics::OldestJob::Set(absl::Time accepted) {
  absl::MutexLock lock(&mutex_);
  accepted_ = accepted;
}

std::vector<prometheus::MetricFamily> Metrics::OldestJob::Collect() const {
  prometheus::MetricFamily family;
  family.name = "genzo_queue_oldest_age_seconds";
  family.help = "Age of the oldest waiting job.";
  family.type = prometheus::MetricType::Gauge;
  family.metric.emplace_back();
  absl::MutexLock lock(&mutex_);
  family.metric[0].gauge.value = absl::ToDoubleSeconds(
      std::max(absl::ZeroDuration(), clock_.Now() - accepted_));
  return {family};
}

Metrics::Metrics(const Clock& clock)
    : registry_(std::make_shared<prometheus::Registry>()),
      requests_(Register(BuildCounter(), *registry_, "genzo_requests_total",
                         "RPCs by method and gRPC code.")),
      jobs_(Register(BuildCounter(), *registry_, "genzo_jobs_total",
                     "Ended jobs by outcome.")),
      shed_(Register(BuildCounter(), *registry_, "genzo_shed_total",
                     "Jobs refused before they were queued, by reason.")),
      steps_(Register(BuildCounter(), *registry_, "genzo_denoise_steps_total",
                      "Denoising steps, counted per image.")),
      batches_(Register(BuildCounter(), *registry_,
                        "genzo_denoise_batches_total",
                        "Denoiser evaluations.")),
      running_(Register(BuildGauge(), *registry_, "genzo_jobs_running",
                        "Jobs being painted.")),
      queue_depth_(Register(BuildGauge(), *registry_, "genzo_queue_depth",
                            "Jobs waiting, by model.")),
      loaded_(Register(BuildGauge(), *registry_, "genzo_model_loaded",
                       "1 while a model's weights are in memory.")),
      load_duration_(Register(BuildGauge(), *registry_,
                              "genzo_model_load_duration_seconds",
                              "Time that loading the model took.")),
      job_duration_(Register(BuildHistogram(), *registry_,
                             "genzo_job_duration_seconds",
                             "Time of finished jobs by stage.")),
      first_preview_(Register(BuildHistogram(), *registry_,
                              "genzo_time_to_first_preview_seconds",
                              "From acceptance to a job's first preview.")),
      step_duration_(Register(BuildHistogram(), *registry_,
                              "genzo_step_duration_seconds",
                              "One evaluation and the moves it allows.")),
      batch_size_(Register(BuildHistogram(), *registry_, "genzo_batch_size",
                           "Rows of an evaluation.")),
      row_cap_(Register(BuildGauge(), *registry_, "genzo_row_cap",
                        "Most rows of an evaluation at the model's own size.")),
      model_bytes_(Register(BuildGauge(), *registry_, "genzo_model_bytes",
                            "Memory of a model by kind, measured.")),
      profile_seconds_(Register(BuildGauge(), *registry_,
                                "genzo_profile_step_seconds",
                                "Time of an evaluation by rows, measured when "
                                "the model was loaded.")),
      texts_(Register(BuildCounter(), *registry_, "genzo_text_cache_total",
                      "Texts by whether their embedding was in the cache.")),
      prediction_error_(
          Register(BuildHistogram(), *registry_, "genzo_prediction_error_ratio",
                   "How far the finish predicted at acceptance was off.")),
      out_of_memory_(Register(BuildCounter(), *registry_,
                              "genzo_out_of_memory_total",
                              "Evaluations cut for want of memory.")),
      oldest_job_(std::make_shared<OldestJob>(clock)),
      previews_dropped_(Register(BuildCounter(), *registry_,
                                 "genzo_preview_dropped_total",
                                 "Previews overtaken by newer ones.")
                            .Add({})),
      streams_(Register(BuildGauge(), *registry_, "genzo_streams",
                        "Generate streams open.")
                   .Add({})),
      undelivered_bytes_(Register(BuildGauge(), *registry_,
                                  "genzo_undelivered_bytes",
                                  "Pictures held for their readers.")
                             .Add({})) {}

Metrics::~Metrics() = default;

prometheus::Histogram& ModelMetrics::StepSeconds(int rows) const {
  size_t bucket = 0;
  while (bucket + 1 < step_seconds.size() && rows > kStepRowBuckets[bucket]) {
    ++bucket;
  }
  return *step_seconds[bucket];
}

prometheus::Gauge& ModelMetrics::ProfileSeconds(int rows) const {
  return profile_seconds.Add({{"model", model}, {"rows", absl::StrCat(rows)}});
}

ModelMetrics& Metrics::ForModel(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  auto& entry = models_[model];
  if (entry != nullptr) return *entry;
  const auto job = [&](const char* outcome) -> prometheus::Counter& {
    return jobs_.Add({{"model", model}, {"outcome", outcome}});
  };
  const auto stage = [&](const char* name) -> prometheus::Histogram& {
    return job_duration_.Add({{"model", model}, {"stage", name}}, JobBuckets());
  };
  const prometheus::Labels labels = {{"model", model}};
  const auto bytes = [&](const char* kind) -> prometheus::Gauge& {
    return model_bytes_.Add({{"model", model}, {"kind", kind}});
  };
  const auto texts = [&](const char* result) -> prometheus::Counter& {
    return texts_.Add({{"model", model}, {"result", result}});
  };
  std::vector<prometheus::Histogram*> steps;
  for (int rows : kStepRowBuckets) {
    steps.push_back(&step_duration_.Add(
        {{"model", model}, {"batch_bucket", absl::StrCat(rows)}},
        StepBuckets()));
  }
  // make_unique cannot fill an aggregate with clang 14.
  // NOLINTNEXTLINE(modernize-make-unique)
  entry = std::unique_ptr<ModelMetrics>(new ModelMetrics{
      .jobs_succeeded = job("succeeded"),
      .jobs_failed = job("failed"),
      .jobs_cancelled = job("cancelled"),
      .jobs_running = running_.Add(labels),
      .queue_seconds = stage("queue"),
      .encode_seconds = stage("encode"),
      .denoise_seconds = stage("denoise"),
      .decode_seconds = stage("decode"),
      .total_seconds = stage("total"),
      .time_to_first_preview_seconds = first_preview_.Add(labels, JobBuckets()),
      .step_seconds = steps,
      .batch_size = batch_size_.Add(labels, RowBuckets()),
      .denoise_steps = steps_.Add(labels),
      .denoise_batches = batches_.Add(labels),
      .loaded = loaded_.Add(labels),
      .load_seconds = load_duration_.Add(labels),
      .queue_depth = queue_depth_.Add(labels),
      .row_cap = row_cap_.Add(labels),
      .weight_bytes = bytes("weights"),
      .activation_bytes = bytes("activations"),
      .text_hits = texts("hit"),
      .text_misses = texts("miss"),
      .prediction_error = prediction_error_.Add(labels, ErrorBuckets()),
      .out_of_memory = out_of_memory_.Add(labels),
      .profile_seconds = profile_seconds_,
      .model = model});
  return *entry;
}

void Metrics::CountRequest(const std::string& method, const std::string& code) {
  requests_.Add({{"method", method}, {"code", code}}).Increment();
}

void Metrics::CountShed(const std::string& reason) {
  shed_.Add({{"reason", reason}}).Increment();
}

std::string Metrics::Text() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  for (auto& family : oldest_job_->Collect()) families.push_back(family);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace genzo
