#ifndef GENZO_SERVER_JOBS_JOB_INTAKE_H_
#define GENZO_SERVER_JOBS_JOB_INTAKE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "base/tracing.h"
#include "base/upscaler_catalog.h"
#include "genzo/internal/v1/pool_view.pb.h"
#include "queue/job_demand.h"
#include "queue/job_queue.h"
#include "server/access/authenticator.h"
#include "server/access/quotas.h"
#include "server/drained_models.h"
#include "server/jobs/job_archive.h"
#include "server/jobs/job_draft.h"
#include "server/jobs/result_cache.h"

namespace genzo {

// What the front end's parts work with; all outlive them.
struct IntakeDependencies {
  JobQueue& queue;
  const ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
  Quotas& quotas;
  // The pool as it is now, to predict by; null: nobody tells.
  std::function<internal::v1::PoolView()> pool_view = nullptr;
  ResultCache* results = nullptr;  // null: nothing is kept for others
  Tracer* tracer = nullptr;
  bool log_prompts = false;
  const DrainedModels* drained = nullptr;
  // What enlarges pictures; null: filters alone.
  const UpscalerCatalog* upscalers = nullptr;
  const StartLatents* latents = nullptr;
};

// Queues jobs, whatever door they came through: files and charges what the
// drafter makes of requests. Knows nothing of gRPC. Thread-safe.
class JobIntake {
 public:
  // `archive` outlives the intake.
  JobIntake(const RequestLimits& limits, const IntakeDependencies& dependencies,
            JobArchive& archive)
      : drafter_(limits, {dependencies.catalog, dependencies.clock,
                          dependencies.tracer, dependencies.drained,
                          dependencies.upscalers, dependencies.latents}),
        dependencies_(dependencies),
        archive_(archive) {}

  // Queues `request` as a job, or finds the job that it was before by its
  // request_id, and returns a reader of its events. `deadline` is until when
  // the caller waits. Errors are those that ImageGeneration.Generate names;
  // then there is no job. Says in the log what became of it.
  absl::StatusOr<std::unique_ptr<EventReader>> Submit(
      const v1::GenerateRequest& request, const Caller& caller,
      absl::Time deadline, const ReaderListener& listener);

  // Queues a picture that is to be enlarged; likewise, for errors that
  // Upscaling.Upscale names.
  absl::StatusOr<std::unique_ptr<EventReader>> SubmitUpscaling(
      const v1::UpscaleRequest& request, const Caller& caller,
      absl::Time deadline, const ReaderListener& listener);

  // Queues `request` as a job that goes on without a reader, unless it says
  // otherwise, or finds the job that it was before. `webhook` is told of its
  // end. Calls `done`, with the job as it is then, once it is kept; with an
  // error, there is no job, nor is it charged.
  void Create(const v1::GenerateRequest& request, const Caller& caller,
              const std::string& webhook,
              std::function<void(absl::StatusOr<internal::v1::KeptJob>)> done);

  // What Create() would charge and how long it would take; errors are those of
  // the request itself.
  absl::StatusOr<v1::Job> Estimate(const v1::GenerateRequest& request,
                                   const Caller& caller) const;

  // What pictures can be enlarged with.
  const UpscalerCatalog& upscalers() const { return drafter_.upscalers(); }

  // See JobDrafter::SetLimits().
  void SetLimits(const RequestLimits& limits) { drafter_.SetLimits(limits); }
  RequestLimits limits() const { return drafter_.limits(); }

  // Queues again what earlier servers left without an end, in its order. That
  // was accepted once, so the queue may be full of it.
  void Resume();

 private:
  // A reader of the job that the file's request was before; null if it was
  // none. Errors as JobArchive::FindAgain() and EventLogs::Watch().
  absl::StatusOr<std::unique_ptr<EventReader>> ReadAgain(
      const JobFile& file, const ReaderListener& listener);
  // What the archive is to keep of a job that is about to be queued; empty if
  // it keeps none.
  internal::v1::KeptJob CopyOf(const JobDraft& draft) const;
  // Files a job and queues it, unless somebody did meanwhile. One that goes on
  // without a reader is kept for a server to come, if it can be.
  absl::StatusOr<std::unique_ptr<EventReader>> Open(
      absl::StatusOr<JobDraft> draft, const ReaderListener& listener);
  // Where the pictures of the draft would be kept; empty: nowhere.
  std::string ResultKey(const JobDraft& draft) const;
  // Ends a job that is filed with what was kept of the same one.
  void Repeat(JobDraft draft, const std::vector<v1::Image>& images,
              uint64_t sequence);
  // Queues a job that is filed. If that fails, it is no more, and its readers
  // but `opener` hear why.
  absl::Status Queue(JobDraft draft, uint64_t sequence = 0,
                     const EventReader* opener = nullptr);
  absl::StatusOr<std::string> FileAndQueue(JobDraft draft);
  // Makes a job that was queued one that never was.
  void Undo(const std::string& id, const absl::Status& why);
  absl::Status ResumeOne(const internal::v1::KeptJob& kept,
                         const internal::v1::Job& queued);
  // Whoever comes for the job is to hear why it was not done.
  void EndUnfinished(internal::v1::KeptJob kept, const absl::Status& status);

  JobDrafter drafter_;
  const IntakeDependencies dependencies_;
  JobArchive& archive_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_JOB_INTAKE_H_
