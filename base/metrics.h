#ifndef GENZO_BASE_METRICS_H_
#define GENZO_BASE_METRICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
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
  prometheus::Counter& jobs_filtered;  // succeeded, with a picture kept back
  prometheus::Counter& jobs_failed;
  prometheus::Counter& jobs_cancelled;
  prometheus::Counter& jobs_expired;  // past their deadline
  prometheus::Counter& jobs_drained;  // broken off as the server stopped
  prometheus::Gauge& jobs_running;
  prometheus::Histogram& queue_seconds;  // stages of a job
  prometheus::Histogram& encode_seconds;
  prometheus::Histogram& denoise_seconds;
  prometheus::Histogram& decode_seconds;
  prometheus::Histogram& encode_image_seconds;  // of decoding: to a file
  prometheus::Histogram& total_seconds;
  prometheus::Histogram& time_to_first_preview_seconds;
  // Between two evaluations while images are painted: all that is no
  // evaluation.
  prometheus::Histogram& step_overhead_seconds;
  prometheus::Histogram& batch_size;     // rows of an evaluation
  prometheus::Counter& row_places;       // rows that evaluations had room for
  prometheus::Counter& denoise_steps;    // per image
  prometheus::Counter& denoise_batches;  // evaluations
  // What evaluations took of the machine: threads times time, or GPU time.
  prometheus::Counter& core_seconds;
  prometheus::Counter& gpu_seconds;
  prometheus::Counter& steps_saved;  // of jobs that nobody wanted any more
  prometheus::Counter& images;
  prometheus::Counter& previews;
  prometheus::Gauge& loaded;  // 0 or 1
  prometheus::Gauge& failed;  // 1 while it could not be loaded
  prometheus::Gauge& load_seconds;
  prometheus::Counter& load_failures;
  // Jobs waiting: of low, normal and high priority.
  std::array<prometheus::Gauge*, 3> queue_depth;
  prometheus::Gauge& queue_cost;  // cost units waiting
  prometheus::Gauge& row_cap;     // at the model's own size
  prometheus::Gauge& weight_bytes;
  prometheus::Gauge& activation_bytes;  // peak of a full evaluation
  prometheus::Counter& text_hits;       // texts found encoded
  prometheus::Counter& text_misses;
  // Finish predicted at acceptance over the real one, less one, magnitude.
  prometheus::Histogram& prediction_error;
  prometheus::Counter& out_of_memory;  // evaluations that were cut for it

  // One evaluation and its moves, by the area of its images and its rows, both
  // in classes. A class is exported from its first use on.
  prometheus::Histogram& StepSeconds(int64_t pixels, int rows) const;
  // Jobs that wait, of all priorities.
  double Queued() const;
  // Counts a job's end by its outcome, and, where nobody wanted it any more,
  // the steps that were left of it. `filtered`: the safety policy withheld or
  // blurred a picture of it.
  void CountEnd(const absl::Status& status, int64_t steps_left,
                bool filtered = false) const;
  // genzo_profile_step_seconds of `rows`: measured when the model was loaded.
  prometheus::Gauge& ProfileSeconds(int rows) const;

  static constexpr std::array<int, 6> kStepRows = {1, 2, 4, 8, 16, 32};
  static constexpr std::array<int, 6> kStepSides = {256,  512,  768,
                                                    1024, 1536, 4096};

  prometheus::Family<prometheus::Gauge>& profile_seconds;
  prometheus::Family<prometheus::Histogram>& step_seconds;
  std::string model;
  // By side and rows; null until used.
  mutable std::array<std::atomic<prometheus::Histogram*>,
                     kStepRows.size() * kStepSides.size()>
      step_classes = {};
};

// The figures of one device of the pool.
struct DeviceMetrics {
  prometheus::Gauge& up;              // 0 while it is taken out
  prometheus::Gauge& live_images;     // being painted
  prometheus::Counter& busy_seconds;  // in evaluations
  prometheus::Gauge& last_step;       // Unix time of the last evaluation's end
  prometheus::Gauge& budget_bytes;    // of its models
  prometheus::Gauge& adapters;        // in memory
  prometheus::Gauge& adapter_bytes;
  prometheus::Counter& upscale_tiles;  // parts of pictures, enlarged
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

  // The figures of a device of the pool, "cpu:0".
  DeviceMetrics ForDevice(const std::string& device);

  // Counts a finished RPC. `code` is a gRPC code's name, "OK".
  void CountRequest(const std::string& method, const std::string& code);
  // Counts a refused job.
  void CountShed(const std::string& reason);
  // Counts what a job of a tenant with so much weight is charged.
  void CountCost(double weight, double cost_units);
  // What became of a webhook: "delivered", "retried" or "given_up".
  void CountWebhook(const std::string& result);
  // What became of spans: "sent", "failed", "dropped".
  void CountSpans(const std::string& result, size_t spans);
  // Counts a request of the HTTP door. `route` is a pattern of its table.
  void CountHttp(const std::string& route, int status, absl::Duration took);
  void CountHttpInFlight(int change) { http_in_flight_.Increment(change); }

  // A constant 1 whose labels tell.
  void SetBuildInfo(const std::map<std::string, std::string>& labels);
  // `fingerprint` as ModelFingerprint(): another one, other files.
  struct ModelInfo {
    std::string family = {};
    std::string dtype = {};
    std::string fingerprint = {};
  };
  void SetModelInfo(const std::string& model, const ModelInfo& info)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whose figures Text() tells: of models that are there by `is_there`, and of
  // those that still have jobs; without this, of all. Series of what is gone
  // would else stay until a restart. Nothing is freed, so that whoever counts
  // may go on, and a model that comes back goes on from where it was. Called
  // before the first Text(), whose threads `is_there` is asked on, unlocked.
  void TellModelsThat(std::function<bool(const std::string& model)> is_there) {
    is_there_ = std::move(is_there);
  }
  // Whether `file` ("keys", "certificate") is in force as it lies on disk, and
  // not what it said before because it is of no use.
  void SetFileInForce(const std::string& file, bool is_in_force);
  // When a certificate that is in force expires.
  void SetCertificateExpiry(const std::string& file, absl::Time expiry);
  // Whether the server serves.
  void SetReady(bool ready) { ready_.Set(ready ? 1 : 0); }

  // Figures that are made when they are asked for, as long as `source` lives.
  void Add(const std::weak_ptr<prometheus::Collectable>& source)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // When the oldest waiting job was accepted; InfiniteFuture if none waits. Its
  // age is computed when it is asked for, so that it grows while nothing moves.
  void SetOldestJob(absl::Time accepted) { oldest_job_->Set(accepted); }
  prometheus::Counter& previews_dropped() { return previews_dropped_; }
  // Readers that took nothing for too long.
  prometheus::Counter& slow_readers() { return slow_readers_; }
  // Generate streams, and bytes of pictures that wait for their readers.
  prometheus::Gauge& streams() { return streams_; }
  prometheus::Gauge& undelivered_bytes() { return undelivered_bytes_; }

  // Whether a REPRODUCIBLE request was answered by the result cache, and its
  // bytes.
  void CountResult(bool hit) {
    (hit ? result_hits_ : result_misses_).Increment();
  }
  // Results of jobs that could not be written to their folder.
  prometheus::Counter& results_not_kept() { return results_not_kept_; }
  prometheus::Gauge& result_cache_bytes() { return result_cache_bytes_; }

  // What /metrics answers, in Prometheus' text format.
  std::string Text() const;

 private:
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

  // One for each of Metrics' families with labels; all of `registry_`.
  struct Families;

  // Drops figures of models that are gone.
  void LeaveOutGone(std::vector<prometheus::MetricFamily>& families) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<prometheus::Registry> registry_;
  const std::unique_ptr<const Families> families_;
  const std::shared_ptr<OldestJob> oldest_job_;
  std::function<bool(const std::string& model)> is_there_;  // may be empty
  prometheus::Counter& previews_dropped_;
  prometheus::Counter& slow_readers_;
  prometheus::Gauge& streams_;
  prometheus::Gauge& undelivered_bytes_;
  prometheus::Counter& result_hits_;
  prometheus::Counter& result_misses_;
  prometheus::Counter& results_not_kept_;
  prometheus::Gauge& result_cache_bytes_;
  prometheus::Gauge& http_in_flight_;
  prometheus::Gauge& ready_;
  mutable absl::Mutex mutex_;
  // By model: what SetModelInfo() said last.
  std::map<std::string, prometheus::Gauge*> infos_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<prometheus::Collectable>> sources_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::unique_ptr<ModelMetrics>> models_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_BASE_METRICS_H_
