#ifndef GENZO_WORKER_ENGINE_JOB_STATE_H_
#define GENZO_WORKER_ENGINE_JOB_STATE_H_

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "queue/job_queue.h"
#include "queue/job_work.h"
#include "worker/pipeline/stable_diffusion.h"

namespace genzo {

// A leased job while its images are painted: what its runs and decode tasks
// share. Reports to the job's reader and to the metrics, and ends the job
// exactly once. Thread-safe.
class JobState {
 public:
  // Holds `model` as long as it lives. `clock` and `metrics` outlive the job.
  // The time in the queue ends now.
  JobState(std::unique_ptr<JobLease> lease,
           std::shared_ptr<const DiffusionModel> model, const Clock& clock,
           ModelMetrics& metrics);
  // Fails the job if it has not ended.
  ~JobState();

  const v1::GenerateRequest& request() const { return lease_->job().request(); }
  const std::string& id() const { return lease_->job().id(); }
  const JobWork& work() const { return work_; }
  const DiffusionModel& model() const { return *model_; }

  // Whether there is still a point in working on the job. A job that its reader
  // left ends here, with CANCELLED, and one past its deadline with
  // DEADLINE_EXCEEDED.
  bool Wanted() ABSL_LOCKS_EXCLUDED(mutex_);

  void TextEncoded(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // One image's step, for its reader.
  struct Step {
    int image_index = 0;
    int step = 0;   // taken
    int steps = 0;  // in all
    int batch_rows = 0;
    absl::Duration time_left;  // of the job
  };
  void StepDone(const Step& step) ABSL_LOCKS_EXCLUDED(mutex_);

  void PostPreview(int image_index, int step, v1::Picture picture)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A finished image. The last one completes the job.
  void PostImage(int image_index, uint64_t seed, v1::Picture picture,
                 absl::Duration decode_duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the job without its pictures.
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void EndLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CompleteLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<JobLease> lease_;
  const JobWork work_;
  const std::shared_ptr<const DiffusionModel> model_;
  const Clock& clock_;
  ModelMetrics& metrics_;
  const absl::Time accepted_;
  const absl::Time started_;
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool previewed_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t images_left_ ABSL_GUARDED_BY(mutex_);
  uint32_t steps_run_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration encode_ ABSL_GUARDED_BY(mutex_);
  absl::Duration decode_ ABSL_GUARDED_BY(mutex_);
  absl::Time denoise_begin_ ABSL_GUARDED_BY(mutex_);
  absl::Time denoise_end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_JOB_STATE_H_
