#ifndef GENZO_SERVER_JOBS_JOB_DRAFT_H_
#define GENZO_SERVER_JOBS_JOB_DRAFT_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/model_catalog.h"
#include "base/start_latents.h"
#include "base/tracing.h"
#include "base/upscaler_catalog.h"
#include "genzo/internal/v1/job.pb.h"
#include "genzo/internal/v1/kept_job.pb.h"
#include "server/access/authenticator.h"
#include "server/drained_models.h"
#include "server/jobs/event_logs.h"

namespace genzo {

// A request on its way to be a job.
struct JobDraft {
  internal::v1::Job job = {};
  internal::v1::KeptJob kept = {};
  JobFile file = {};
  std::shared_ptr<const Grant> grant = nullptr;  // that is charged
  bool may_repeat = false;                       // the caller chose the seed
  bool was_accepted = false;                     // by an earlier server
  absl::Time begun = {};          // by the date: when the request came
  std::string x_request_id = {};  // see Caller
};

// By what a request of `tenant` is found again: its request id and digest, or
// neither. One whose end another webhook is told of is another request.
JobFile FileOf(const v1::GenerateRequest& request, const std::string& tenant,
               const std::string& webhook = "");

// Models say what was allowed when they were set up; `limits` is what is now.
void LowerLimits(const RequestLimits& limits, v1::Model& model);

// What drafts are made with; all outlive the drafter.
struct DrafterDependencies {
  const ModelCatalog& catalog;
  const Clock& clock;
  Tracer* tracer = nullptr;
  const DrainedModels* drained = nullptr;
  // What enlarges pictures; null: filters alone.
  const UpscalerCatalog* upscalers = nullptr;
  const StartLatents* latents = nullptr;  // null: told of when it is too late
};

// Makes drafts of requests: resolved, checked against the model, the limits and
// the caller's grant, with what they cost. Queues and charges nothing.
// Thread-safe.
class JobDrafter {
 public:
  JobDrafter(const RequestLimits& limits,
             const DrafterDependencies& dependencies)
      : limits_(limits), dependencies_(dependencies) {}

  // `deadline` is until when the caller waits, `digest` that of the request's
  // FileOf(), or "" if it is not to be found again. Errors are those that
  // ImageGeneration.Generate names for the request itself.
  absl::StatusOr<JobDraft> Draft(const v1::GenerateRequest& request,
                                 const Caller& caller, absl::Time deadline,
                                 const std::string& digest) const;
  // Of a picture that is to be enlarged; likewise, for errors that
  // Upscaling.Upscale names.
  absl::StatusOr<JobDraft> Draft(const v1::UpscaleRequest& request,
                                 const Caller& caller,
                                 absl::Time deadline) const;

  // What pictures can be enlarged with.
  const UpscalerCatalog& upscalers() const {
    return dependencies_.upscalers == nullptr ? filters_
                                              : *dependencies_.upscalers;
  }

  // What requests may ask for from now on: not more than at the start, but
  // for the bytes of prompts.
  void SetLimits(const RequestLimits& limits) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    limits_ = limits;
  }
  RequestLimits limits() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return limits_;
  }

 private:
  // The model that `id` names, if it takes requests now, with `limits` as its
  // own.
  absl::StatusOr<v1::Model> UsableModel(const std::string& id,
                                        const RequestLimits& limits) const;
  absl::StatusOr<internal::v1::Job> MakeJob(const v1::GenerateRequest& request,
                                            const Caller& caller,
                                            absl::Time deadline) const;
  // A job of `resolved` with an id, its times and whose it is.
  internal::v1::Job JobOf(v1::GenerateRequest resolved, const Caller& caller,
                          absl::Time deadline) const;
  JobDraft DraftOf(internal::v1::Job job, const Caller& caller,
                   absl::Time begun) const;

  mutable absl::Mutex mutex_;
  RequestLimits limits_ ABSL_GUARDED_BY(mutex_);
  const DrafterDependencies dependencies_;
  const UpscalerCatalog filters_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_JOB_DRAFT_H_
