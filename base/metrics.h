#ifndef GENZO_BASE_METRICS_H_
#define GENZO_BASE_METRICS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"

namespace prometheus {
class Registry;
}  // namespace prometheus

namespace genzo {

// The figures of one model, without label look-ups in the hot path.
struct ModelMetrics {
  prometheus::Counter& jobs_succeeded;
  prometheus::Counter& jobs_failed;
  prometheus::Counter& jobs_cancelled;
  prometheus::Gauge& jobs_running;
  prometheus::Histogram& queue_seconds;  // stages of a job
  prometheus::Histogram& encode_seconds;
  prometheus::Histogram& denoise_seconds;
  prometheus::Histogram& decode_seconds;
  prometheus::Histogram& total_seconds;
  prometheus::Histogram& time_to_first_preview_seconds;
  // One evaluation and its moves, by rows: StepSeconds() finds the bucket.
  std::vector<prometheus::Histogram*> step_seconds;
  prometheus::Histogram& batch_size;     // rows of an evaluation
  prometheus::Counter& denoise_steps;    // per image
  prometheus::Counter& denoise_batches;  // evaluations
  prometheus::Gauge& loaded;             // 0 or 1
  prometheus::Gauge& load_seconds;
  prometheus::Gauge& queue_depth;  // jobs waiting
  prometheus::Gauge& row_cap;      // at the model's own size
  prometheus::Gauge& weight_bytes;
  prometheus::Gauge& activation_bytes;  // peak of a full evaluation
  prometheus::Counter& text_hits;       // texts found encoded
  prometheus::Counter& text_misses;
  // Finish predicted at acceptance over the real one, less one, magnitude.
  prometheus::Histogram& prediction_error;
  prometheus::Counter& out_of_memory;  // evaluations that were cut for it

  prometheus::Histogram& StepSeconds(int rows) const;
  // genzo_profile_step_seconds of `rows`: measured when the model was loaded.
  prometheus::Gauge& ProfileSeconds(int rows) const;

  prometheus::Family<prometheus::Gauge>& profile_seconds;
  std::string model;
};

// Every figure that Genzo exports, with the prefix `genzo_`, base units and
// Prometheus' suffixes. Thread-safe.
class Metrics {
 public:
  // `clock` outlives this object.
  explicit Metrics(const Clock& clock = Clock::Real());
  ~Metrics();

  // The figures of `model`; made on first use, valid as long as this object.
  // `model` must come from the configuration: labels are bounded.
  ModelMetrics& ForModel(const std::string& model) ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts a finished RPC. `code` is a gRPC code's name, "OK".
  void CountRequest(const std::string& method, const std::string& code);
  // Counts a refused job.
  void CountShed(const std::string& reason);

  // When the oldest waiting job was accepted; InfiniteFuture if none waits. Its
  // age is computed when it is asked for, so that it grows while nothing moves.
  void SetOldestJob(absl::Time accepted) { oldest_job_->Set(accepted); }
  prometheus::Counter& previews_dropped() { return previews_dropped_; }
  // Generate streams, and bytes of pictures that wait for their readers.
  prometheus::Gauge& streams() { return streams_; }
  prometheus::Gauge& undelivered_bytes() { return undelivered_bytes_; }

  // What /metrics answers, in Prometheus' text format.
  std::string Text() const;

 private:
  template <typename T>
  using Family = prometheus::Family<T>;

  // genzo_queue_oldest_age_seconds.
  class OldestJob : public prometheus::Collectable {
   public:
    explicit OldestJob(const Clock& clock) : clock_(clock) {}
    void Set(absl::Time accepted) ABSL_LOCKS_EXCLUDED(mutex_);
    std::vector<prometheus::MetricFamily> Collect() const override
        ABSL_LOCKS_EXCLUDED(mutex_);

   private:
    const Clock& clock_;
    mutable absl::Mutex mutex_;
    absl::Time accepted_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  };

  const std::shared_ptr<prometheus::Registry> registry_;
  Family<prometheus::Counter>& requests_;
  Family<prometheus::Counter>& jobs_;
  Family<prometheus::Counter>& shed_;
  Family<prometheus::Counter>& steps_;
  Family<prometheus::Counter>& batches_;
  Family<prometheus::Gauge>& running_;
  Family<prometheus::Gauge>& queue_depth_;
  Family<prometheus::Gauge>& loaded_;
  Family<prometheus::Gauge>& load_duration_;
  Family<prometheus::Histogram>& job_duration_;
  Family<prometheus::Histogram>& first_preview_;
  Family<prometheus::Histogram>& step_duration_;
  Family<prometheus::Histogram>& batch_size_;
  Family<prometheus::Gauge>& row_cap_;
  Family<prometheus::Gauge>& model_bytes_;
  Family<prometheus::Gauge>& profile_seconds_;
  Family<prometheus::Counter>& texts_;
  Family<prometheus::Histogram>& prediction_error_;
  Family<prometheus::Counter>& out_of_memory_;
  const std::shared_ptr<OldestJob> oldest_job_;
  prometheus::Counter& previews_dropped_;
  prometheus::Gauge& streams_;
  prometheus::Gauge& undelivered_bytes_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<ModelMetrics>> models_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_BASE_METRICS_H_
