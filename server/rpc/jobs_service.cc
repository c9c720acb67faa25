#include "server/rpc/jobs_service.h"

#include "base/errors.h"
#include "base/logging.h"
#include "server/jobs/webhooks.h"
#include "server/rpc/grpc_call.h"

namespace genzo {
namespace {

using internal::v1::KeptJob;

// A job of this service goes on without a reader and needs no request id for
// it.
v1::GenerateRequest RequestOf(const v1::CreateJobRequest& request) {
  v1::GenerateRequest wanted = request.request();
  if (wanted.on_disconnect() == v1::ON_DISCONNECT_CONTINUE) {
    wanted.clear_on_disconnect();
  }
  return wanted;
}

}  // namespace

template <typename Answer>
void JobsService::Finish(grpc::CallbackServerContext* context,
                         grpc::ServerUnaryReactor* reactor,
                         const std::string& method,
                         const absl::StatusOr<Answer>& result,
                         grpc::ByteBuffer* answer) const {
  if (result.ok()) *answer = ToBytes(*result);
  FinishCall(context, reactor, method, result.status(), dependencies_.metrics);
}

absl::StatusOr<v1::Job> JobsService::Shown(
    const absl::StatusOr<KeptJob>& job, grpc::CallbackServerContext* context) {
  if (!job.ok()) return job.status();
  if (!job->traceparent().empty()) {
    context->AddInitialMetadata("traceparent", job->traceparent());
  }
  return job->job();
}

absl::Status JobsService::Check(const v1::CreateJobRequest& request,
                                const WebhookConfig& webhooks) {
  if (!request.has_request()) {
    return InvalidFieldsError({{"request", "request is missing"}});
  }
  return request.has_webhook()
             ? Webhooks::Check(request.webhook().url(), webhooks)
             : absl::OkStatus();
}

absl::StatusOr<KeptJob> JobsService::Find(const Caller& caller,
                                          const std::string& id) const {
  if (id.empty()) return InvalidFieldsError({{"id", "id is empty"}});
  return archive_.book().Get(caller.tenant, id);
}

grpc::ServerUnaryReactor* JobsService::CreateJob(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  auto* reactor = context->DefaultReactor();
  v1::CreateJobRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeJobs, request);
  const absl::Status checked =
      caller.ok() ? Check(request, webhooks_) : caller.status();
  if (!checked.ok()) {
    Finish(context, reactor, "CreateJob", absl::StatusOr<v1::Job>(checked),
           answer);
  } else if (request.validate_only()) {
    Finish(context, reactor, "CreateJob",
           intake_.Estimate(RequestOf(request), *caller), answer);
  } else {
    // gRPC keeps context and answer until the reactor has finished.
    intake_.Create(RequestOf(request), *caller, request.webhook().url(),
                   [=, this](const absl::StatusOr<KeptJob>& job) {
                     Finish(context, reactor, "CreateJob", Shown(job, context),
                            answer);
                   });
  }
  return reactor;
}

grpc::ServerUnaryReactor* JobsService::GetJob(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::GetJobRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeJobs, request);
  const auto job = caller.ok() ? Find(*caller, request.id()) : caller.status();
  auto* reactor = context->DefaultReactor();
  Finish(context, reactor, "GetJob", Shown(job, context), answer);
  return reactor;
}

grpc::ServerUnaryReactor* JobsService::ListJobs(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::ListJobsRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeJobs, request);
  const auto page = caller.ok() ? archive_.book().List(caller->tenant, request)
                                : caller.status();
  auto* reactor = context->DefaultReactor();
  Finish(context, reactor, "ListJobs", page, answer);
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* JobsService::WatchJob(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  v1::WatchJobRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeJobs, request);
  if (!caller.ok()) {
    return GenerateReactor::Refuse(context, kWatchStream, caller.status(),
                                   dependencies_);
  }
  return GenerateReactor::Start(
      context, kWatchStream,
      [&](const ReaderListener& listener)
          -> absl::StatusOr<std::unique_ptr<EventReader>> {
        const auto job = Find(*caller, request.id());
        if (!job.ok()) return job.status();
        return archive_.Watch(caller->tenant, request.id(),
                              request.after_sequence(), listener);
      },
      dependencies_);
}

grpc::ServerUnaryReactor* JobsService::CancelJob(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::CancelJobRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeJobs, request);
  auto job = caller.ok() ? Find(*caller, request.id()) : caller.status();
  if (job.ok()) {
    LogEvent(spdlog::level::info, "cancel asked for",
             {{"job", request.id()},
              {"tenant", caller->tenant},
              {"key", KeyIdOf(caller->grant)},
              {"x_request_id", caller->x_request_id}});
    queue_.Cancel(request.id());
    job = Find(*caller, request.id());
  }
  auto* reactor = context->DefaultReactor();
  Finish(context, reactor, "CancelJob", Shown(job, context), answer);
  return reactor;
}

}  // namespace genzo
