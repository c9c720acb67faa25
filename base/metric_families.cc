#include "base/metric_families.h"

namespace genzo {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

const prometheus::Histogram::BucketBoundaries& JobBuckets() {
  static const auto* const buckets =
      new prometheus::Histogram::BucketBoundaries{
          0.05, 0.1, 0.25, 0.5, 1,  2,  3,   5,   7.5, 10,
          15,   20,  30,   45,  60, 90, 120, 300, 600};
  return *buckets;
}

Metrics::Families::Families(prometheus::Registry& registry)
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
      batches(Register(BuildCounter(), registry, "genzo_denoise_batches_total",
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
      row_cap(Register(BuildGauge(), registry, "genzo_row_cap",
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
      device_last_step(Register(BuildGauge(), registry,
                                "genzo_device_last_step_timestamp_seconds",
                                "When the last evaluation of a device ended.")),
      device_adapters(Register(BuildGauge(), registry, "genzo_device_adapters",
                               "Adapters in a device's memory.")),
      device_memory(Register(BuildGauge(), registry,
                             "genzo_device_memory_bytes",
                             "Memory of a device by kind.")),
      device_tiles(Register(BuildCounter(), registry,
                            "genzo_device_upscale_tiles_total",
                            "Parts of pictures that a device enlarged.")),
      webhooks(Register(BuildCounter(), registry, "genzo_webhooks_total",
                        "Deliveries of webhooks by what became of them.")),
      spans(Register(BuildCounter(), registry, "genzo_spans_total",
                     "Spans by what became of them.")),
      http_requests(Register(BuildCounter(), registry,
                             "genzo_http_requests_total",
                             "Requests of the HTTP door by route and status.")),
      http_duration(Register(
          BuildHistogram(), registry, "genzo_http_request_duration_seconds",
          "Time from a request of the HTTP door to its answer's end.")),
      file_in_force(Register(
          BuildGauge(), registry, "genzo_file_in_force",
          "1 while a watched file is in force as it lies on disk, 0 while "
          "what it said before is.")),
      certificate_expiry(Register(
          BuildGauge(), registry, "genzo_certificate_expiry_timestamp_seconds",
          "When a certificate that is in force expires.")),
      build_info(Register(BuildGauge(), registry, "genzo_build_info",
                          "1, with versions.")) {}

}  // namespace genzo
