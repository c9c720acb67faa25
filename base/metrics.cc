#include "base/metrics.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/draining.h"
#include "base/metric_families.h"
#include "prometheus/text_serializer.h"

namespace genzo {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;

// "low" of a tenant that has less than the usual share.
const char* TenantClass(double weight) {
  return weight < 1 ? "low" : weight > 1 ? "high" : "normal";
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
       {"DEADLINE_UNREACHABLE", kDraining, "NOT_KEPT", "QUEUE_FULL",
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
          .adapter_bytes = memory("adapters"),
          .upscale_tiles = families_->device_tiles.Add(labels)};
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

void Metrics::SetFileInForce(const std::string& file, bool is_in_force) {
  families_->file_in_force.Add({{"file", file}}).Set(is_in_force ? 1 : 0);
}

void Metrics::SetCertificateExpiry(const std::string& file, absl::Time expiry) {
  families_->certificate_expiry.Add({{"file", file}})
      .Set(absl::ToDoubleSeconds(expiry - absl::UnixEpoch()));
}

void Metrics::SetBuildInfo(const std::map<std::string, std::string>& labels) {
  families_->build_info.Add(labels).Set(1);
}

void Metrics::SetModelInfo(const std::string& model, const ModelInfo& info) {
  auto& gauge = families_->model_info.Add({{"model", model},
                                           {"family", info.family},
                                           {"dtype", info.dtype},
                                           {"fingerprint", info.fingerprint}});
  gauge.Set(1);
  absl::MutexLock lock(&mutex_);
  prometheus::Gauge*& known = infos_[model];
  if (known != nullptr && known != &gauge) families_->model_info.Remove(known);
  known = &gauge;
}

void Metrics::LeaveOutGone(
    std::vector<prometheus::MetricFamily>& families) const {
  if (!is_there_) return;
  std::set<std::string> gone;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [model, figures] : models_) {
      const bool works =
          figures->jobs_running.Value() > 0 || figures->Queued() > 0;
      if (!works) gone.insert(model);
    }
  }
  std::erase_if(gone,
                [&](const std::string& model) { return is_there_(model); });
  if (gone.empty()) return;
  const auto is_gone = [&](const prometheus::ClientMetric& metric) {
    return std::any_of(metric.label.begin(), metric.label.end(),
                       [&](const prometheus::ClientMetric::Label& label) {
                         return label.name == "model" &&
                                gone.count(label.value) > 0;
                       });
  };
  for (auto& family : families) std::erase_if(family.metric, is_gone);
  std::erase_if(families,
                [](const auto& family) { return family.metric.empty(); });
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
  LeaveOutGone(families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace genzo
