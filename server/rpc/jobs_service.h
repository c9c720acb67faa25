#ifndef GENZO_SERVER_RPC_JOBS_SERVICE_H_
#define GENZO_SERVER_RPC_JOBS_SERVICE_H_

#include "genzo/v1/jobs.grpc.pb.h"
#include "queue/job_queue.h"
#include "server/access/authenticator.h"
#include "server/jobs/job_archive.h"
#include "server/jobs/job_intake.h"
#include "server/rpc/generate_reactor.h"

namespace genzo {

// genzo.v1.Jobs: makes jobs by way of the intake, finds them in the archive.
// Thread-safe.
class JobsService : public v1::Jobs::WithRawCallbackMethod_CreateJob<
                        v1::Jobs::WithRawCallbackMethod_GetJob<
                            v1::Jobs::WithRawCallbackMethod_ListJobs<
                                v1::Jobs::WithRawCallbackMethod_WatchJob<
                                    v1::Jobs::WithRawCallbackMethod_CancelJob<
                                        v1::Jobs::Service>>>>> {
 public:
  // All outlive the service but `webhooks`, which says whom jobs may name.
  JobsService(const Authenticator& authenticator, JobArchive& archive,
              JobIntake& intake, JobQueue& queue, const WebhookConfig& webhooks,
              const StreamDependencies& dependencies)
      : authenticator_(authenticator),
        archive_(archive),
        intake_(intake),
        queue_(queue),
        webhooks_(webhooks),
        dependencies_(dependencies) {}

  grpc::ServerUnaryReactor* CreateJob(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* bytes,
                                      grpc::ByteBuffer* answer) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* bytes,
                                   grpc::ByteBuffer* answer) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* bytes,
                                     grpc::ByteBuffer* answer) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchJob(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* bytes) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* bytes,
                                      grpc::ByteBuffer* answer) override;

 private:
  // Writes the answer, or the error, and ends the call.
  template <typename Answer>
  void Finish(grpc::CallbackServerContext* context,
              grpc::ServerUnaryReactor* reactor, const std::string& method,
              const absl::StatusOr<Answer>& result,
              grpc::ByteBuffer* answer) const;
  // The job, with whose trace it is in the context's metadata.
  static absl::StatusOr<v1::Job> Shown(
      const absl::StatusOr<internal::v1::KeptJob>& job,
      grpc::CallbackServerContext* context);
  static absl::Status Check(const v1::CreateJobRequest& request,
                            const WebhookConfig& webhooks);
  absl::StatusOr<internal::v1::KeptJob> Find(const Caller& caller,
                                             const std::string& id) const;

  const Authenticator& authenticator_;
  JobArchive& archive_;
  JobIntake& intake_;
  JobQueue& queue_;
  const WebhookConfig webhooks_;
  const StreamDependencies dependencies_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_JOBS_SERVICE_H_
