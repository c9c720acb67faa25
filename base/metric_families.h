#ifndef GENZO_BASE_METRIC_FAMILIES_H_
#define GENZO_BASE_METRIC_FAMILIES_H_

#include "base/metrics.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace genzo {

template <typename Builder>
auto& Register(Builder builder, prometheus::Registry& registry,
               const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

// Of the times of jobs and of whole requests, in seconds.
const prometheus::Histogram::BucketBoundaries& JobBuckets();

// The families of which each model, device, method or reason has a member. For
// Metrics alone; docs/metrics.md says what each means.
struct Metrics::Families {
  explicit Families(prometheus::Registry& registry);

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
  prometheus::Family<prometheus::Counter>& device_tiles;
  prometheus::Family<prometheus::Counter>& webhooks;
  prometheus::Family<prometheus::Counter>& spans;
  prometheus::Family<prometheus::Counter>& http_requests;
  prometheus::Family<prometheus::Histogram>& http_duration;
  prometheus::Family<prometheus::Gauge>& file_in_force;
  prometheus::Family<prometheus::Gauge>& certificate_expiry;
  prometheus::Family<prometheus::Gauge>& build_info;
};

}  // namespace genzo

#endif  // GENZO_BASE_METRIC_FAMILIES_H_
