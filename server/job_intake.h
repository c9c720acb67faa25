#ifndef GENZO_SERVER_JOB_INTAKE_H_
#define GENZO_SERVER_JOB_INTAKE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/internal/v1/job.pb.h"
#include "queue/job_queue.h"
#include "server/authenticator.h"
#include "server/event_logs.h"

namespace genzo {

// What the front end's parts work with; all outlive them.
struct IntakeDependencies {
  JobQueue& queue;
  const ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
};

// Makes jobs of requests and queues them, whatever door they came through.
// Knows nothing of gRPC. Thread-safe.
class JobIntake {
 public:
  // `logs` outlives the intake.
  JobIntake(const RequestLimits& limits, const IntakeDependencies& dependencies,
            EventLogs& logs)
      : limits_(limits), dependencies_(dependencies), logs_(logs) {}

  // Queues `request` as a job, or finds the job that it was before by its
  // request_id, and returns a reader of its events. `deadline` is until when
  // the caller waits. Errors are those that ImageGeneration.Generate names;
  // then there is no job. Says in the log what became of it.
  absl::StatusOr<std::unique_ptr<EventReader>> Submit(
      const v1::GenerateRequest& request, const Caller& caller,
      absl::Time deadline, const ReaderListener& listener);

 private:
  absl::StatusOr<internal::v1::Job> MakeJob(const v1::GenerateRequest& request,
                                            const Caller& caller,
                                            absl::Time deadline) const;
  absl::StatusOr<std::unique_ptr<EventReader>> Accept(
      const v1::GenerateRequest& request, const Caller& caller,
      absl::Time deadline, const ReaderListener& listener);

  const RequestLimits limits_;
  const IntakeDependencies dependencies_;
  EventLogs& logs_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_JOB_INTAKE_H_
