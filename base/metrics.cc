#include "base/metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
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

// Of all that is no evaluation.
const Buckets& OverheadBuckets() {
  static const auto* const buckets =
      new Buckets{0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2};
  return *buckets;
}

// "low" of a tenant that has less than the usual share.
const char* TenantClass(double weight) {
  return weight < 1 ? "low" : weight > 1 ? "high" : "normal";
}

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

struct Metrics::Families {
  explicit Families(prometheus::Registry& registry)
      : requests(Register(BuildCounter(), registry, "genzo_requests_total",
                          "RPCs by method and gRPC code.")),
        jobs(Register(BuildCounter(), registry, "genzo_jobs_total",
                      "Ended jobs by outcome.")),
        shed(Register(BuildCounter(), registry, "genzo_shed_total",
                      "Jobs refused before they were queued, by reason.")),
        cost(Register(BuildCounter(), registry, "genzo_cost_units_total",
                      "Cost units of accepted jobs (rows times megapixels "
                      "times steps), by the weight of their tenants.")),
        images(Register(BuildCounter(), registry, "genzo_images_total",
                        "Finished images.")),
        previews(Register(BuildCounter(), registry, "genzo_previews_total",
                          "Previews that were sent on their way.")),
        steps(Register(BuildCounter(), registry, "genzo_denoise_steps_total",
                       "Denoising steps, counted per image.")),
        batches(Register(BuildCounter(), registry,
                         "genzo_denoise_batches_total",
                         "Denoiser evaluations.")),
        row_places(Register(BuildCounter(), registry, "genzo_row_places_total",
                            "Rows that evaluations had room for; with "
                            "genzo_batch_size_sum it gives the occupancy.")),
        compute_seconds(
            Register(BuildCounter(), registry, "genzo_compute_seconds_total",
                     "What evaluations took of the machine: core-seconds "
                     "(threads times time) or GPU-seconds.")),
        steps_saved(Register(
            BuildCounter(), registry, "genzo_steps_saved_total",
            "Steps left of jobs that were cancelled or past their deadline.")),
        running(Register(BuildGauge(), registry, "genzo_jobs_running",
                         "Jobs being painted.")),
        queue_depth(Register(BuildGauge(), registry, "genzo_queue_depth",
                             "Jobs waiting, by model and priority.")),
        queue_cost(Register(BuildGauge(), registry, "genzo_queue_cost_units",
                            "Cost units of jobs that wait.")),
        loaded(Register(BuildGauge(), registry, "genzo_model_loaded",
                        "1 while a model's weights are in memory.")),
        failed(Register(BuildGauge(), registry, "genzo_model_failed",
                        "1 while a model could not be loaded.")),
        load_duration(Register(BuildGauge(), registry,
                               "genzo_model_load_duration_seconds",
                               "Time that loading the model took.")),
        load_failures(Register(BuildCounter(), registry,
                               "genzo_model_load_failures_total",
                               "Times that a model could not be loaded.")),
        model_info(Register(BuildGauge(), registry, "genzo_model_info",
                            "1, with what a model is.")),
        job_duration(Register(BuildHistogram(), registry,
                              "genzo_job_duration_seconds",
                              "Time of finished jobs by stage.")),
        first_preview(Register(BuildHistogram(), registry,
                               "genzo_time_to_first_preview_seconds",
                               "From acceptance to a job's first preview.")),
        step_duration(Register(
            BuildHistogram(), registry, "genzo_step_duration_seconds",
            "One evaluation and the moves it allows, by size class and rows.")),
        step_overhead(
            Register(BuildHistogram(), registry, "genzo_step_overhead_seconds",
                     "Between two evaluations while images are painted.")),
        batch_size(Register(BuildHistogram(), registry, "genzo_batch_size",
                            "Rows of an evaluation.")),
        row_cap(
            Register(BuildGauge(), registry, "genzo_row_cap",
                     "Most rows of an evaluation at the model's own size.")),
        model_bytes(Register(BuildGauge(), registry, "genzo_model_bytes",
                             "Memory of a model by kind, measured.")),
        profile_seconds(Register(BuildGauge(), registry,
                                 "genzo_profile_step_seconds",
                                 "Time of an evaluation by rows, measured when "
                                 "the model was loaded.")),
        texts(Register(BuildCounter(), registry, "genzo_text_cache_total",
                       "Texts by whether their embedding was in the cache.")),
        results(Register(
            BuildCounter(), registry, "genzo_result_cache_total",
            "Reproducible requests by whether the result cache had them.")),
        prediction_error(
            Register(BuildHistogram(), registry, "genzo_prediction_error_ratio",
                     "How far the finish predicted at acceptance was off.")),
        out_of_memory(Register(BuildCounter(), registry,
                               "genzo_out_of_memory_total",
                               "Evaluations cut for want of memory.")),
        device_up(Register(BuildGauge(), registry, "genzo_device_up",
                           "0 while a device is taken out because it fails.")),
        device_live(Register(BuildGauge(), registry, "genzo_device_live_images",
                             "Images being painted on a device.")),
        device_busy(Register(BuildCounter(), registry,
                             "genzo_device_busy_seconds_total",
                             "Time that a device spent in evaluations.")),
        device_last_step(Register(
            BuildGauge(), registry, "genzo_device_last_step_timestamp_seconds",
            "When the last evaluation of a device ended.")),
        device_adapters(Register(BuildGauge(), registry,
                                 "genzo_device_adapters",
                                 "Adapters in a device's memory.")),
        device_memory(Register(BuildGauge(), registry,
                               "genzo_device_memory_bytes",
                               "Memory of a device by kind.")),
        webhooks(Register(BuildCounter(), registry, "genzo_webhooks_total",
                          "Deliveries of webhooks by what became of them.")),
        spans(Register(BuildCounter(), registry, "genzo_spans_total",
                       "Spans by what became of them.")),
        http_requests(
            Register(BuildCounter(), registry, "genzo_http_requests_total",
                     "Requests of the HTTP door by route and status.")),
        http_duration(Register(
            BuildHistogram(), registry, "genzo_http_request_duration_seconds",
            "Time from a request of the HTTP door to its answer's end.")),
        build_info(Register(BuildGauge(), registry, "genzo_build_info",
                            "1, with versions.")) {}

  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Counter>& jobs;
  prometheus::Family<prometheus::Counter>& shed;
  prometheus::Family<prometheus::Counter>& cost;
  prometheus::Family<prometheus::Counter>& images;
  prometheus::Family<prometheus::Counter>& previews;
  prometheus::Family<prometheus::Counter>& steps;
  prometheus::Family<prometheus::Counter>& batches;
  prometheus::Family<prometheus::Counter>& row_places;
  prometheus::Family<prometheus::Counter>& compute_seconds;
  prometheus::Family<prometheus::Counter>& steps_saved;
  prometheus::Family<prometheus::Gauge>& running;
  prometheus::Family<prometheus::Gauge>& queue_depth;
  prometheus::Family<prometheus::Gauge>& queue_cost;
  prometheus::Family<prometheus::Gauge>& loaded;
  prometheus::Family<prometheus::Gauge>& failed;
  prometheus::Family<prometheus::Gauge>& load_duration;
  prometheus::Family<prometheus::Counter>& load_failures;
  prometheus::Family<prometheus::Gauge>& model_info;
  prometheus::Family<prometheus::Histogram>& job_duration;
  prometheus::Family<prometheus::Histogram>& first_preview;
  prometheus::Family<prometheus::Histogram>& step_duration;
  prometheus::Family<prometheus::Histogram>& step_overhead;
  prometheus::Family<prometheus::Histogram>& batch_size;
  prometheus::Family<prometheus::Gauge>& row_cap;
  prometheus::Family<prometheus::Gauge>& model_bytes;
  prometheus::Family<prometheus::Gauge>& profile_seconds;
  prometheus::Family<prometheus::Counter>& texts;
  prometheus::Family<prometheus::Counter>& results;
  prometheus::Family<prometheus::Histogram>& prediction_error;
  prometheus::Family<prometheus::Counter>& out_of_memory;
  prometheus::Family<prometheus::Gauge>& device_up;
  prometheus::Family<prometheus::Gauge>& device_live;
  prometheus::Family<prometheus::Counter>& device_busy;
  prometheus::Family<prometheus::Gauge>& device_last_step;
  prometheus::Family<prometheus::Gauge>& device_adapters;
  prometheus::Family<prometheus::Gauge>& device_memory;
  prometheus::Family<prometheus::Counter>& webhooks;
  prometheus::Family<prometheus::Counter>& spans;
  prometheus::Family<prometheus::Counter>& http_requests;
  prometheus::Family<prometheus::Histogram>& http_duration;
  prometheus::Family<prometheus::Gauge>& build_info;
};

Metrics::Metrics(const Clock& clock)
    : registry_(std::make_shared<prometheus::Registry>()),
      families_(std::make_unique<const Families>(*registry_)),
      oldest_job_(std::make_shared<OldestJob>(clock)),
      previews_dropped_(Register(BuildCounter(), *registry_,
                                 "genzo_preview_dropped_total",
                                 "Previews overtaken by newer ones.")
                            .Add({})),
      slow_readers_(
          Register(BuildCounter(), *registry_, "genzo_slow_readers_total",
                   "Readers given up because they took nothing for too long.")
              .Add({})),
      streams_(Register(BuildGauge(), *registry_, "genzo_streams",
                        "Generate streams open.")
                   .Add({})),
      undelivered_bytes_(Register(BuildGauge(), *registry_,
                                  "genzo_undelivered_bytes",
                                  "Pictures held for their readers.")
                             .Add({})),
      result_hits_(families_->results.Add({{"result", "hit"}})),
      result_misses_(families_->results.Add({{"result", "miss"}})),
      results_not_kept_(Register(BuildCounter(), *registry_,
                                 "genzo_results_not_kept_total",
                                 "Results of jobs that could not be written.")
                            .Add({})),
      result_cache_bytes_(Register(BuildGauge(), *registry_,
                                   "genzo_result_cache_bytes",
                                   "Pictures kept by the result cache.")
                              .Add({})),
      http_in_flight_(
          Register(
              BuildGauge(), *registry_, "genzo_http_requests_in_flight",
              "Requests of the HTTP door that are not answered to the end.")
              .Add({})),
      ready_(Register(BuildGauge(), *registry_, "genzo_ready",
                      "1 while the server serves.")
                 .Add({})) {
  // What alerts count begins at 0: a counter that appears with 1 has not risen.
  for (const char* reason :
       {"DEADLINE_UNREACHABLE", "DRAINING", "NOT_KEPT", "QUEUE_FULL",
        "QUOTA_EXCEEDED", "TOO_MANY_STREAMS"}) {
    families_->shed.Add({{"reason", reason}});
  }
  for (const double weight : {0.5, 1.0, 2.0}) CountCost(weight, 0);
  for (const char* result : {"delivered", "retried", "given_up"}) {
    families_->webhooks.Add({{"result", result}});
  }
  for (const char* result : {"sent", "failed", "dropped"}) {
    CountSpans(result, 0);
  }
}

Metrics::~Metrics() = default;

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

void ModelMetrics::CountEnd(const absl::Status& status,
                            int64_t steps_left) const {
  const bool unwanted =
      absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
  if (unwanted) steps_saved.Increment(static_cast<double>(steps_left));
  prometheus::Counter& outcome = status.ok()                 ? jobs_succeeded
                                 : absl::IsCancelled(status) ? jobs_cancelled
                                 : unwanted                  ? jobs_expired
                                 : ErrorReason(status) == "DRAINING"
                                     ? jobs_drained
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
      .jobs_failed = with(all.jobs, "outcome", "failed"),
      .jobs_cancelled = with(all.jobs, "outcome", "cancelled"),
      .jobs_expired = with(all.jobs, "outcome", "expired"),
      .jobs_drained = with(all.jobs, "outcome", "drained"),
      .jobs_running = all.running.Add(labels),
      .queue_seconds = stage("queue"),
      .encode_seconds = stage("encode"),
      .denoise_seconds = stage("denoise"),
      .decode_seconds = stage("decode"),
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

DeviceMetrics Metrics::ForDevice(const std::string& device) {
  const prometheus::Labels labels = {{"device", device}};
  const auto memory = [&](const char* kind) -> prometheus::Gauge& {
    return families_->device_memory.Add({{"device", device}, {"kind", kind}});
  };
  return {.up = families_->device_up.Add(labels),
          .live_images = families_->device_live.Add(labels),
          .busy_seconds = families_->device_busy.Add(labels),
          .last_step = families_->device_last_step.Add(labels),
          .budget_bytes = memory("budget"),
          .adapters = families_->device_adapters.Add(labels),
          .adapter_bytes = memory("adapters")};
}

void Metrics::CountRequest(const std::string& method, const std::string& code) {
  families_->requests.Add({{"method", method}, {"code", code}}).Increment();
}

void Metrics::CountShed(const std::string& reason) {
  families_->shed.Add({{"reason", reason}}).Increment();
}

void Metrics::CountCost(double weight, double cost_units) {
  families_->cost.Add({{"tenant_class", TenantClass(weight)}})
      .Increment(cost_units);
}

void Metrics::CountWebhook(const std::string& result) {
  families_->webhooks.Add({{"result", result}}).Increment();
}

void Metrics::CountSpans(const std::string& result, size_t spans) {
  families_->spans.Add({{"result", result}})
      .Increment(static_cast<double>(spans));
}

void Metrics::CountHttp(const std::string& route, int status,
                        absl::Duration took) {
  families_->http_requests
      .Add({{"route", route}, {"code", absl::StrCat(status)}})
      .Increment();
  families_->http_duration.Add({{"route", route}}, JobBuckets())
      .Observe(absl::ToDoubleSeconds(took));
}

void Metrics::SetBuildInfo(const std::map<std::string, std::string>& labels) {
  families_->build_info.Add(labels).Set(1);
}

void Metrics::SetModelInfo(const std::string& model, const std::string& family,
                           const std::string& dtype) {
  auto& info = families_->model_info.Add(
      {{"model", model}, {"family", family}, {"dtype", dtype}});
  info.Set(1);
  absl::MutexLock lock(&mutex_);
  prometheus::Gauge*& known = infos_[model];
  if (known != nullptr && known != &info) families_->model_info.Remove(known);
  known = &info;
}

void Metrics::Add(const std::weak_ptr<prometheus::Collectable>& source) {
  absl::MutexLock lock(&mutex_);
  sources_.push_back(source);
}

std::string Metrics::Text() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  // A family may have figures of both kinds, and is told once.
  const auto add = [&](std::vector<prometheus::MetricFamily> more) {
    for (auto& family : more) {
      const auto same = std::find_if(
          families.begin(), families.end(),
          [&](const auto& known) { return known.name == family.name; });
      if (same == families.end()) {
        families.push_back(std::move(family));
      } else {
        same->metric.insert(same->metric.end(), family.metric.begin(),
                            family.metric.end());
      }
    }
  };
  add(oldest_job_->Collect());
  std::vector<std::weak_ptr<prometheus::Collectable>> sources;
  {
    absl::MutexLock lock(&mutex_);
    sources = sources_;
  }
  for (const auto& source : sources) {
    if (const auto alive = source.lock()) add(alive->Collect());
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace genzo
