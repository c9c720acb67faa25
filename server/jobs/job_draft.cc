#include "server/jobs/job_draft.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/guidance_rules.h"
#include "base/proto_time.h"
#include "base/request_pictures.h"
#include "base/request_rules.h"
#include "base/sha256.h"
#include "queue/job_demand.h"
#include "server/access/quotas.h"
#include "server/resolve/request_resolver.h"
#include "server/resolve/upscaling.h"

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
  const bool guided =
      IsGuided(resolved.guidance_scale()) ||
      IsGuided(resolved.image_to_image().inversion().guidance_scale());
  const uint32_t told =
      guided ? model.guided_rows_per_image() : model.rows_per_image();
  uint32_t rows = told > 0 ? told : guided ? 2 : 1;
  // Of networks that are told guidance_scale, which costs them no row.
  if (IsGuided(resolved.true_guidance_scale())) rows = std::max(rows, 2u);
  return MostRows(resolved, rows);
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

// What queues and readers see of an upscaling: one image of one step.
v1::GenerateRequest ShownOf(const ResolvedUpscaling& resolved) {
  v1::GenerateRequest shown;
  shown.set_model(resolved.request.upscaler());
  shown.set_image_count(1);
  shown.set_steps(1);
  shown.set_width(static_cast<uint32_t>(resolved.result.width));
  shown.set_height(static_cast<uint32_t>(resolved.result.height));
  *shown.mutable_output() = resolved.request.output();
  shown.set_priority(resolved.request.priority());
  if (resolved.request.has_time_limit()) {
    *shown.mutable_time_limit() = resolved.request.time_limit();
  }
  return shown;
}

// What is shown and kept of a job that is about to be queued.
internal::v1::KeptJob KeptJobOf(const internal::v1::Job& job,
                                const Clock& clock) {
  internal::v1::KeptJob kept;
  kept.set_tenant(job.tenant());
  v1::Job& shown = *kept.mutable_job();
  shown.set_id(job.id());
  shown.set_request_id(job.request().request_id());
  *shown.mutable_resolved() = WithoutPictures(job.request());
  *shown.mutable_create_time() = job.accepted_at();
  const JobDemand demand = DemandOf(job, clock);
  shown.set_cost(CostUnits(demand));
  shown.set_steps_total(StepsToWalk(job) * demand.images);
  return kept;
}

// OK if the picture, and the `result` that it is enlarged to, keep within the
// grant.
absl::Status CheckGrant(const Grant* grant, const v1::GenerateRequest& resolved,
                        PixelSize result) {
  if (grant == nullptr) return absl::OkStatus();
  absl::Status within = CheckGrantLimits(*grant, resolved);
  if (resolved.has_hires()) {
    within.Update(CheckGrantLimits(*grant, SecondPass(resolved)));
  }
  within.Update(CheckGrantPixels(*grant, result.width, result.height));
  return within;
}

// Gives a request without a size that of the latents that it starts from. OK if
// they are of the size that it has then, and of the model.
absl::Status TakeSizeOf(const KeptLatentFacts& kept, const v1::Model& model,
                        v1::GenerateRequest& request) {
  if (!request.has_width() && !request.has_height()) {
    request.set_width(static_cast<uint32_t>(kept.width));
    request.set_height(static_cast<uint32_t>(kept.height));
  }
  return CheckStartLatents(
      kept, model.id(), request.has_width() ? request.width() : kept.width,
      request.has_height() ? request.height() : kept.height);
}

}  // namespace

void LowerLimits(const RequestLimits& limits, v1::Model& model) {
  const auto lower = [](uint32_t of_model, int now) {
    return std::min(of_model, static_cast<uint32_t>(now));
  };
  if (!model.has_limits()) return;  // of one that could not be read
  v1::ModelLimits& own = *model.mutable_limits();
  own.set_max_side(lower(own.max_side(), limits.max_side_pixels));
  own.set_max_steps(lower(own.max_steps(), limits.max_steps));
  own.set_max_image_count(lower(own.max_image_count(), limits.max_image_count));
}

JobFile FileOf(const v1::GenerateRequest& request, const std::string& tenant,
               const std::string& webhook) {
  if (request.request_id().empty()) return {.tenant = tenant};
  v1::GenerateRequest sent = request;
  // A UUID is the same in either case of letters.
  sent.set_request_id(absl::AsciiStrToLower(request.request_id()));
  std::string digest = Sha256(sent.SerializeAsString());
  if (!webhook.empty()) digest = Sha256(absl::StrCat(digest, webhook));
  return {.tenant = tenant,
          .request_id = sent.request_id(),
          .digest = std::move(digest)};
}

absl::StatusOr<v1::Model> JobDrafter::UsableModel(
    const std::string& id, const RequestLimits& limits) const {
  auto model = dependencies_.catalog.Get(id);
  if (!model.ok()) return model;
  LowerLimits(limits, *model);
  absl::Status usable = CheckModelState(*model);
  if (usable.ok() && dependencies_.drained != nullptr) {
    usable = dependencies_.drained->Check(model->id());
  }
  if (!usable.ok()) return usable;
  return model;
}

absl::StatusOr<internal::v1::Job> JobDrafter::MakeJob(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline) const {
  const RequestLimits limits = this->limits();
  const auto model = UsableModel(request.model(), limits);
  if (!model.ok()) return model.status();
  // Copied only then: a request may hold pictures of many megabytes.
  std::optional<v1::GenerateRequest> of_latents;
  if (!request.start_latents().empty() && dependencies_.latents != nullptr) {
    const auto kept =
        dependencies_.latents->Look(caller.tenant, request.start_latents());
    if (!kept.ok()) return kept.status();
    const absl::Status fits =
        TakeSizeOf(*kept, *model, of_latents.emplace(request));
    if (!fits.ok()) return fits;
  }
  auto resolved =
      ResolveRequest(of_latents.has_value() ? *of_latents : request, *model,
                     limits, DrawSeed(), &dependencies_.catalog.loras());
  if (!resolved.ok()) return resolved.status();
  const auto result = ResolveEnlarging(*model, upscalers(), *resolved);
  if (!result.ok()) return result.status();
  const absl::Status within =
      CheckGrant(caller.grant.get(), *resolved, *result);
  if (!within.ok()) return within;
  const uint32_t rows = RowsPerImage(*resolved, *model);
  internal::v1::Job job = JobOf(*std::move(resolved), caller, deadline);
  job.set_rows_per_image(rows);
  job.set_rounds_steps_up(StepRoundingOf(*model) == StepRounding::kUp);
  return job;
}

internal::v1::Job JobDrafter::JobOf(v1::GenerateRequest resolved,
                                    const Caller& caller,
                                    absl::Time deadline) const {
  internal::v1::Job job;
  job.set_id(DrawJobId());
  *job.mutable_request() = std::move(resolved);
  job.set_tenant(caller.tenant);
  if (caller.grant != nullptr) job.set_weight(caller.grant->weight);
  job.set_traceparent(TraceparentFor(caller.trace, dependencies_.tracer));
  const absl::Time now = dependencies_.clock.Date();
  *job.mutable_accepted_at() = ToProto(now);
  const absl::Time until = DeadlineOf(job.request(), now, deadline);
  if (until < absl::InfiniteFuture()) *job.mutable_deadline() = ToProto(until);
  return job;
}

absl::StatusOr<JobDraft> JobDrafter::Draft(const v1::GenerateRequest& request,
                                           const Caller& caller,
                                           absl::Time deadline,
                                           const std::string& digest) const {
  const absl::Time begun = dependencies_.clock.Date();
  auto job = MakeJob(request, caller, deadline);
  if (!job.ok()) return job.status();
  JobDraft draft = DraftOf(*std::move(job), caller, begun);
  draft.may_repeat = request.has_seed();
  draft.file.digest = digest;
  draft.kept.set_digest(digest);
  return draft;
}

absl::StatusOr<JobDraft> JobDrafter::Draft(const v1::UpscaleRequest& request,
                                           const Caller& caller,
                                           absl::Time deadline) const {
  auto resolved = ResolveUpscaling(request, upscalers(), limits());
  if (!resolved.ok()) return resolved.status();
  if (caller.grant != nullptr) {
    const absl::Status within = CheckGrantPixels(
        *caller.grant, resolved->result.width, resolved->result.height);
    if (!within.ok()) return within;
  }
  internal::v1::Job job = JobOf(ShownOf(*resolved), caller, deadline);
  *job.mutable_upscale() = std::move(resolved->request);
  return DraftOf(std::move(job), caller, dependencies_.clock.Date());
}

JobDraft JobDrafter::DraftOf(internal::v1::Job job, const Caller& caller,
                             absl::Time begun) const {
  JobDraft draft = {.begun = begun};
  const v1::GenerateRequest& resolved = job.request();
  draft.file = {.job_id = job.id(),
                .tenant = caller.tenant,
                .request_id = resolved.request_id(),
                .goes_on = GoesOn(resolved),
                .traceparent = job.traceparent()};
  draft.kept = KeptJobOf(job, dependencies_.clock);
  draft.kept.set_traceparent(job.traceparent());
  if (caller.trace.has_value()) {
    draft.kept.set_parent_span(caller.trace->span_id);
  }
  draft.grant = caller.grant;
  draft.x_request_id = caller.x_request_id;
  draft.job = std::move(job);
  return draft;
}

}  // namespace genzo
