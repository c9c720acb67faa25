#ifndef GENZO_WORKER_ENGINE_JOB_STATE_H_
#define GENZO_WORKER_ENGINE_JOB_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/tracing.h"
#include "queue/job_demand.h"
#include "queue/job_queue.h"
#include "worker/engine/job_checkpoint.h"
#include "worker/media/masked_canvas.h"
#include "worker/pipeline/pipeline.h"

namespace genzo {

// A leased job while its images are painted: what its runs and decode tasks
// share. Reports to the job's reader and to the metrics, and ends the job
// exactly once. Thread-safe.
class JobState {
 public:
  // Holds `model` as long as it lives. `clock`, `metrics` and `tracer` outlive
  // the job. The time in the queue ends now. What a worker before left of the
  // job is gone on from; images that it told of are not painted again.
  JobState(std::unique_ptr<JobLease> lease,
           std::shared_ptr<const Pipeline> model, const Clock& clock,
           ModelMetrics& metrics, Tracer* tracer = nullptr,
           AdapterUses adapters = {});
  // Gives the job back to the queue if it has not ended, with what was kept of
  // its runs.
  ~JobState();

  const v1::GenerateRequest& request() const { return lease_->job().request(); }
  const std::string& id() const { return lease_->job().id(); }
  const JobDemand& demand() const { return demand_; }
  // Empty if nobody traces the job.
  const std::string& traceparent() const { return lease_->job().traceparent(); }
  const Pipeline& model() const { return *model_; }
  const AdapterUses& adapters() const { return adapters_; }

  // Whether there is still a point in working on the job, or on one image of
  // it; tells the queue that the worker is alive. A job that its reader left
  // ends here, with CANCELLED, and one past its deadline with
  // DEADLINE_EXCEEDED.
  bool Wanted() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Wanted(int image_index) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether another worker may have the job if this one gives it up; where not,
  // what goes wrong is better told.
  bool MayGoElsewhere() const {
    return lease_->attempt() < JobLease::kMostAttempts;
  }

  // Keeps where an image's run stands, Run::Save(), for the worker that gets
  // the job if this one gives it up; and what is kept, empty if nothing.
  void KeepRun(int image_index, std::string saved) ABSL_LOCKS_EXCLUDED(mutex_);
  std::string KeptRun(int image_index) ABSL_LOCKS_EXCLUDED(mutex_);

  // What its pictures are put together from, where a part of one stays as it
  // was; null otherwise. Set while it is encoded, and read after that alone.
  void SetCanvas(std::shared_ptr<const MaskedCanvas> canvas) {
    canvas_ = std::move(canvas);
  }
  const MaskedCanvas* canvas() const { return canvas_.get(); }

  // Texts and pictures.
  void EncodingDone(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // One image's move, for its reader.
  struct Step {
    int image_index = 0;
    WalkProgress progress{};
    int batch_rows = 0;
    absl::Duration time_left = {};  // of the job
  };
  void StepDone(const Step& step) ABSL_LOCKS_EXCLUDED(mutex_);

  void PostPreview(int image_index, int step, v1::Picture picture)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The image will tell that its latent is kept by this name.
  void LatentKept(int image_index, std::string name)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A finished image, one that is not sent, or one that will not come. With
  // best_of nothing is told before all are drawn, and then BestImages() alone.
  // The last of them ends the job: as failed, with the first image's status,
  // only if all that are told failed. What comes for an image after that is
  // ignored.
  // `writing` is the part of `decode_duration` that made the file.
  void PostImage(v1::Image image, absl::Duration decode_duration,
                 absl::Duration writing = absl::ZeroDuration())
      ABSL_LOCKS_EXCLUDED(mutex_);
  void WithholdImage(v1::ImageWithheld image, absl::Duration decode_duration)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void FailImage(int image_index, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the job without its pictures.
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Counts as running no more; it is not ended yet.
  void LetGoLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the image, and with it the job, has not ended.
  bool OpenLocked(int image_index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The image has ended with `outcome`.
  void CloseImageLocked(int image_index, v1::JobEvent outcome)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellLocked(v1::JobEvent outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GoOnFromLocked(const std::string& checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  JobCheckpoint CheckpointLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLocked(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ObserveLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A span of the job's from `begin` to `end`, by Clock::Now().
  void Record(const char* name, absl::Time begin, absl::Time end,
              int image_index = -1);

  const std::unique_ptr<JobLease> lease_;
  const JobDemand demand_;
  const std::shared_ptr<const Pipeline> model_;
  const AdapterUses adapters_;
  const Clock& clock_;
  ModelMetrics& metrics_;
  Tracer* const tracer_;
  const absl::Time started_;
  std::shared_ptr<const MaskedCanvas> canvas_;
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool previewed_ ABSL_GUARDED_BY(mutex_) = false;
  // A picture of it was withheld or blurred.
  bool filtered_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<bool> image_ended_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::string> latents_ ABSL_GUARDED_BY(mutex_);  // kept
  std::map<int, std::string> runs_ ABSL_GUARDED_BY(mutex_);     // kept
  uint32_t images_left_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::JobEvent> drawn_ ABSL_GUARDED_BY(mutex_);  // with best_of
  uint32_t images_failed_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status first_failure_ ABSL_GUARDED_BY(mutex_);
  uint32_t steps_run_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration encode_ ABSL_GUARDED_BY(mutex_);
  absl::Duration decode_ ABSL_GUARDED_BY(mutex_);
  absl::Duration writing_ ABSL_GUARDED_BY(mutex_);  // of decode_
  absl::Time denoise_begin_ ABSL_GUARDED_BY(mutex_);
  absl::Time denoise_end_ ABSL_GUARDED_BY(mutex_);
};

// Why nobody wants the job any more at `now`, CANCELLED or DEADLINE_EXCEEDED;
// OK if somebody does.
absl::Status WhyEnded(const JobLease& lease, absl::Time deadline,
                      absl::Time now);

// Ends a job that has no JobState, and counts it.
void FailLease(JobLease& lease, const JobDemand& demand,
               const absl::Status& status, ModelMetrics& metrics);

// The reason of what goes wrong with a run and has no other.
inline constexpr char kEvaluationFailed[] = "EVALUATION_FAILED";

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_JOB_STATE_H_
