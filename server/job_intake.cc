#include "server/job_intake.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "base/sha256.h"
#include "server/request_resolver.h"

namespace genzo {
namespace {

uint64_t DrawSeed() { return absl::Uniform<uint32_t>(absl::BitGen()); }

std::string DrawJobId() {
  absl::BitGen generator;
  return absl::StrCat(
      absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16),
      absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16));
}

// A model that was never loaded has not said: classifier-free guidance mostly
// takes two.
uint32_t RowsPerImage(const v1::GenerateRequest& resolved,
                      const v1::Model& model) {
  const bool guided = resolved.guidance_scale() > 1;
  const uint32_t told =
      guided ? model.guided_rows_per_image() : model.rows_per_image();
  return told > 0 ? told : guided ? 2 : 1;
}

// gRPC tells "no deadline" as one in the far future.
constexpr absl::Duration kFarDeadline = absl::Hours(24 * 365);

bool GoesOn(const v1::GenerateRequest& request) {
  return request.on_disconnect() == v1::ON_DISCONNECT_CONTINUE;
}

// When the job stops being of use. A caller that leaves at its deadline takes
// its job with it, unless it said otherwise.
absl::Time DeadlineOf(const v1::GenerateRequest& request, absl::Time now,
                      absl::Time call_deadline) {
  absl::Time deadline = absl::InfiniteFuture();
  if (!GoesOn(request) && call_deadline - now < kFarDeadline) {
    deadline = call_deadline;
  }
  if (request.has_time_limit()) {
    deadline = std::min(deadline, now + FromProto(request.time_limit()));
  }
  return deadline;
}

std::string Describe(const internal::v1::Job& job) {
  const v1::GenerateRequest& request = job.request();
  return absl::StrCat("request_id \"", request.request_id(), "\", tenant \"",
                      job.tenant(), "\", model ", request.model(), ", ",
                      request.image_count(), " images, ", request.width(), "x",
                      request.height(), ", ", request.steps(), " steps");
}

}  // namespace

absl::StatusOr<internal::v1::Job> JobIntake::MakeJob(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline) const {
  const auto model = dependencies_.catalog.Get(request.model());
  if (!model.ok()) return model.status();
  const absl::Status usable = CheckModelState(*model);
  if (!usable.ok()) return usable;
  auto resolved = ResolveRequest(request, *model, limits_, DrawSeed());
  if (!resolved.ok()) return resolved.status();
  internal::v1::Job job;
  job.set_id(DrawJobId());
  *job.mutable_request() = *std::move(resolved);
  job.set_tenant(caller.tenant);
  job.set_rows_per_image(RowsPerImage(job.request(), *model));
  const absl::Time now = dependencies_.clock.Date();
  *job.mutable_accepted_at() = ToProto(now);
  const absl::Time until = DeadlineOf(job.request(), now, deadline);
  if (until < absl::InfiniteFuture()) *job.mutable_deadline() = ToProto(until);
  return job;
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Accept(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  auto job = MakeJob(request, caller, deadline);
  if (!job.ok()) return job.status();
  const std::string description = Describe(*job);
  const std::string& request_id = job->request().request_id();
  auto opened = logs_.Open(
      {.job_id = job->id(),
       .tenant = caller.tenant,
       .request_id = request_id,
       .digest = request_id.empty() ? "" : Sha256(request.SerializeAsString()),
       .goes_on = GoesOn(job->request())},
      listener);
  if (!opened.ok()) return opened.status();
  const std::string id = opened->reader->job_id();
  if (!opened->is_new) {
    spdlog::info("job {} is read again", id);
    return std::move(opened->reader);
  }
  const absl::Status submitted =
      dependencies_.queue.Submit(*std::move(job), logs_.SinkOf(id));
  if (!submitted.ok()) {
    logs_.Drop(id);
    dependencies_.metrics.CountShed(ErrorReason(submitted));
    return submitted;
  }
  spdlog::info("job {} accepted: {}", id, description);
  return std::move(opened->reader);
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Submit(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  auto reader = Accept(request, caller, deadline, listener);
  if (!reader.ok()) {
    // Escaped: a message may quote the client.
    spdlog::info("refused: {}, tenant \"{}\": {}", ErrorReason(reader.status()),
                 caller.tenant,
                 absl::Utf8SafeCEscape(reader.status().message()));
  }
  return reader;
}

}  // namespace genzo
