#include "server/job_intake.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/guidance_rules.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "base/request_pictures.h"
#include "base/request_rules.h"
#include "base/sha256.h"
#include "queue/job_end.h"
#include "queue/pool_view.h"
#include "server/request_resolver.h"
#include "server/resolve_upscaling.h"

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
      resolved.guidance_scale() > 1 ||
      resolved.image_to_image().inversion().guidance_scale() > 1;
  const uint32_t told =
      guided ? model.guided_rows_per_image() : model.rows_per_image();
  uint32_t rows = told > 0 ? told : guided ? 2 : 1;
  // Of networks that are told guidance_scale, which costs them no row.
  if (resolved.true_guidance_scale() > 1) rows = std::max(rows, 2u);
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

// Events of a job that an earlier server began had lower sequences.
uint64_t FirstSequence(const internal::v1::KeptJob& job) {
  return uint64_t{job.servers()} << 32;
}

// Models say what was allowed when they were set up.
void LowerLimits(const RequestLimits& limits, v1::ModelLimits& model) {
  const auto lower = [](uint32_t of_model, int now) {
    return std::min(of_model, static_cast<uint32_t>(now));
  };
  model.set_max_side(lower(model.max_side(), limits.max_side_pixels));
  model.set_max_steps(lower(model.max_steps(), limits.max_steps));
  model.set_max_image_count(
      lower(model.max_image_count(), limits.max_image_count));
}

LogFields FactsOf(const internal::v1::Job& job, bool with_prompt) {
  const v1::GenerateRequest& request = job.request();
  return {{"job", job.id()},
          {"request_id", request.request_id()},
          {"tenant", job.tenant()},
          {"trace", TraceIdOf(job.traceparent())},
          {"model", request.model()},
          {"images", absl::StrCat(request.image_count())},
          {"size", absl::StrCat(request.width(), "x", request.height())},
          {"steps", absl::StrCat(request.steps())},
          {"prompt", with_prompt ? request.prompt() : ""}};
}

absl::Status Enter(JobQueue& queue, internal::v1::Job job, bool was_accepted,
                   std::shared_ptr<EventSink> sink) {
  return was_accepted ? queue.Readmit(std::move(job), std::move(sink))
                      : queue.Submit(std::move(job), std::move(sink));
}

void LogRefusal(const std::string& request_id, const Caller& caller,
                const absl::Status& status) {
  LogEvent(spdlog::level::info, "refused",
           {{"request_id", request_id},
            {"tenant", caller.tenant},
            {"trace", caller.trace.has_value() ? caller.trace->trace_id : ""},
            {"reason", ErrorReason(status)},
            {"message", std::string(status.message())}});
}

}  // namespace

absl::StatusOr<internal::v1::Job> JobIntake::MakeJob(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline) const {
  auto model = dependencies_.catalog.Get(request.model());
  if (!model.ok()) return model.status();
  const RequestLimits limits = this->limits();
  LowerLimits(limits, *model->mutable_limits());
  const absl::Status usable = CheckModelState(*model);
  if (!usable.ok()) return usable;
  if (dependencies_.drained != nullptr) {
    const absl::Status in_use = dependencies_.drained->Check(model->id());
    if (!in_use.ok()) return in_use;
  }
  auto resolved = ResolveRequest(request, *model, limits, DrawSeed(),
                                 &dependencies_.catalog.loras());
  if (!resolved.ok()) return resolved.status();
  const absl::Status enlarges =
      ResolveEnlarging(*model, upscalers(), *resolved);
  if (!enlarges.ok()) return enlarges;
  if (caller.grant != nullptr) {
    absl::Status within = CheckGrantLimits(*caller.grant, *resolved);
    if (resolved->has_hires()) {
      within.Update(CheckGrantLimits(*caller.grant, SecondPass(*resolved)));
    }
    if (!within.ok()) return within;
  }
  const uint32_t rows = RowsPerImage(*resolved, *model);
  internal::v1::Job job = JobOf(*std::move(resolved), caller, deadline);
  job.set_rows_per_image(rows);
  job.set_rounds_steps_up(StepRoundingOf(*model) == StepRounding::kUp);
  return job;
}

internal::v1::Job JobIntake::JobOf(v1::GenerateRequest resolved,
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

absl::StatusOr<JobIntake::Draft> JobIntake::MakeDraft(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline) const {
  const absl::Time begun = dependencies_.clock.Date();
  auto job = MakeJob(request, caller, deadline);
  if (!job.ok()) return job.status();
  Draft draft = DraftOf(*std::move(job), caller);
  draft.begun = begun;
  draft.may_repeat = request.has_seed();
  if (!draft.file.request_id.empty()) {
    // A UUID is the same in either case of letters.
    v1::GenerateRequest sent = request;
    sent.set_request_id(draft.file.request_id);
    draft.file.digest = Sha256(sent.SerializeAsString());
  }
  draft.kept.set_digest(draft.file.digest);
  return draft;
}

JobIntake::Draft JobIntake::DraftOf(internal::v1::Job job,
                                    const Caller& caller) const {
  Draft draft = {
      .job = {}, .kept = {}, .file = {}, .begun = dependencies_.clock.Date()};
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
  draft.job = std::move(job);
  return draft;
}

std::string JobIntake::ResultKey(const Draft& draft) const {
  if (dependencies_.results == nullptr || !draft.may_repeat) return "";
  const v1::GenerateRequest& request = draft.job.request();
  const auto model = dependencies_.catalog.Get(request.model());
  return model.ok() ? ResultCache::KeyOf(draft.job.tenant(), request, *model)
                    : "";
}

void JobIntake::Repeat(Draft draft, const std::vector<v1::Image>& images,
                       uint64_t sequence) {
  const std::string id = draft.job.id();
  LogFields facts = FactsOf(draft.job, dependencies_.log_prompts);
  facts.emplace_back("from_cache", "true");
  LogEvent(spdlog::level::info, "job accepted", facts);
  archive_.book().Add(std::move(draft.kept));
  const auto sink = archive_.logs().SinkOf(id, sequence);
  uint64_t number = 0;
  const auto post = [&](v1::JobEvent event) {
    event.set_job_id(id);
    event.set_sequence(++number);
    sink->Post(std::move(event));
  };
  v1::JobEvent event;
  event.mutable_queued();
  post(event);
  v1::Started& started = *event.mutable_started();
  *started.mutable_resolved() = WithoutPictures(draft.job.request());
  started.set_from_cache(true);
  post(event);
  for (const v1::Image& image : images) {
    *event.mutable_image() = image;
    post(event);
  }
  *event.mutable_ended() = EndedBy(absl::OkStatus());
  post(event);
  ModelMetrics& metrics =
      dependencies_.metrics.ForModel(draft.job.request().model());
  metrics.images.Increment(static_cast<double>(images.size()));
  metrics.CountEnd(absl::OkStatus(), /*steps_left=*/0);
}

absl::Status JobIntake::Queue(Draft draft, uint64_t sequence,
                              const EventReader* opener) {
  const std::string id = draft.job.id();
  const std::string key = ResultKey(draft);
  if (!key.empty()) {
    const auto images = dependencies_.results->Find(key);
    if (images.has_value()) {
      Repeat(std::move(draft), *images, sequence);
      return absl::OkStatus();
    }
  }
  const std::string traceparent = draft.job.traceparent();
  const double weight = draft.job.weight() > 0 ? draft.job.weight() : 1;
  const LogFields facts = FactsOf(draft.job, dependencies_.log_prompts);
  const double cost = draft.kept.job().cost();
  if (draft.grant != nullptr) {
    const absl::Status charged =
        dependencies_.quotas.Begin(id, cost, std::move(draft.grant));
    if (!charged.ok()) {
      archive_.logs().Drop(id, charged, opener);
      dependencies_.metrics.CountShed(ErrorReason(charged));
      return charged;
    }
  }
  archive_.book().Add(std::move(draft.kept));
  std::shared_ptr<EventSink> sink = archive_.logs().SinkOf(id, sequence);
  if (!key.empty()) {
    sink = dependencies_.results->Recording(
        key, draft.job.request().image_count(), std::move(sink));
  }
  const absl::Status submitted =
      Enter(dependencies_.queue, std::move(draft.job), draft.was_accepted,
            std::move(sink));
  if (submitted.ok()) {
    LogEvent(spdlog::level::info, "job accepted", facts);
    dependencies_.metrics.CountCost(weight, cost);
    RecordPart(dependencies_.tracer, traceparent,
               {.name = kAdmitSpan,
                .begin = draft.begun,
                .end = dependencies_.clock.Date()});
    return submitted;
  }
  dependencies_.quotas.TakeBack(id);
  archive_.book().Drop(id);
  archive_.logs().Drop(id, submitted, opener);
  dependencies_.metrics.CountShed(ErrorReason(submitted));
  return submitted;
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Accept(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  auto draft = MakeDraft(request, caller, deadline);
  if (!draft.ok()) return draft.status();
  return Open(*std::move(draft), caller, listener);
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Open(
    Draft draft, const Caller& caller, const ReaderListener& listener) {
  const absl::Status known = archive_.FindAgain(draft.file);
  if (!known.ok()) return known;
  auto opened = archive_.logs().Open(draft.file, listener);
  if (!opened.ok()) return opened.status();
  if (!opened->is_new) {
    LogEvent(spdlog::level::info, "job read again",
             {{"job", opened->reader->job_id()},
              {"tenant", caller.tenant},
              {"trace", TraceIdOf(opened->reader->traceparent())}});
    return std::move(opened->reader);
  }
  const absl::Status queued =
      Queue(std::move(draft), /*sequence=*/0, opened->reader.get());
  if (!queued.ok()) return queued;
  return std::move(opened->reader);
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Submit(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  auto reader = Accept(request, caller, deadline, listener);
  if (!reader.ok()) LogRefusal(request.request_id(), caller, reader.status());
  return reader;
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::SubmitUpscaling(
    const v1::UpscaleRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  auto resolved = ResolveUpscaling(request, upscalers(), limits());
  if (resolved.ok() && caller.grant != nullptr) {
    const absl::Status within = CheckGrantPixels(
        *caller.grant, resolved->result.width, resolved->result.height);
    if (!within.ok()) resolved = within;
  }
  if (!resolved.ok()) {
    LogRefusal({}, caller, resolved.status());
    return resolved.status();
  }
  internal::v1::Job job = JobOf(ShownOf(*resolved), caller, deadline);
  *job.mutable_upscale() = std::move(resolved->request);
  auto reader = Open(DraftOf(std::move(job), caller), caller, listener);
  if (!reader.ok()) LogRefusal({}, caller, reader.status());
  return reader;
}

absl::StatusOr<std::string> JobIntake::CreateDraft(Draft draft) {
  const absl::Status known = archive_.FindAgain(draft.file);
  if (!known.ok()) return known;
  const auto filed = archive_.logs().File(draft.file);
  if (!filed.ok()) return filed.status();
  if (!filed->is_new) return filed->job_id;
  const absl::Status queued = Queue(std::move(draft));
  if (!queued.ok()) return queued;
  return filed->job_id;
}

void JobIntake::Undo(const std::string& id, const absl::Status& why) {
  dependencies_.quotas.TakeBack(id);
  archive_.book().Drop(id);
  archive_.logs().Drop(id, why);
  dependencies_.queue.Cancel(id);
  dependencies_.metrics.CountShed("NOT_KEPT");
}

void JobIntake::Create(const v1::GenerateRequest& request, const Caller& caller,
                       const std::string& webhook,
                       std::function<void(absl::StatusOr<v1::Job>)> done) {
  auto draft = MakeDraft(request, caller, absl::InfiniteFuture());
  if (!draft.ok()) {
    LogRefusal(request.request_id(), caller, draft.status());
    return done(draft.status());
  }
  draft->file.is_kept = true;
  draft->file.goes_on = request.on_disconnect() != v1::ON_DISCONNECT_CANCEL;
  draft->kept.set_webhook(webhook);
  const std::string new_id = draft->job.id();
  internal::v1::KeptJob kept;
  internal::v1::Job queued;
  if (archive_.keeps_jobs()) {
    kept = draft->kept;
    queued = draft->job;
  }
  const auto id = CreateDraft(*std::move(draft));
  if (!id.ok()) {
    LogRefusal(request.request_id(), caller, id.status());
    return done(id.status());
  }
  const auto answer = [this, request_id = request.request_id(), caller,
                       id = *id,
                       done = std::move(done)](const absl::Status& kept) {
    if (!kept.ok()) {
      Undo(id, kept);
      LogRefusal(request_id, caller, kept);
      return done(kept);
    }
    const auto job = archive_.book().Get(caller.tenant, id);
    job.ok() ? done(job->job()) : done(job.status());
  };
  // It was there before.
  if (*id != new_id) return answer(absl::OkStatus());
  archive_.Keep(std::move(kept), std::move(queued), answer);
}

absl::StatusOr<v1::Job> JobIntake::Estimate(const v1::GenerateRequest& request,
                                            const Caller& caller) const {
  auto draft = MakeDraft(request, caller, absl::InfiniteFuture());
  if (!draft.ok()) return draft.status();
  v1::Job job = draft->kept.job();
  job.clear_id();
  job.clear_create_time();
  if (!dependencies_.pool_view) return job;
  const auto time = PredictFrom(dependencies_.pool_view(),
                                DemandOf(draft->job, dependencies_.clock),
                                dependencies_.clock);
  if (time.has_value()) *job.mutable_time_left() = ToProto(*time);
  return job;
}

void JobIntake::SetLimits(const RequestLimits& limits) {
  absl::MutexLock lock(&mutex_);
  limits_ = limits;
}

void JobIntake::Resume() {
  for (internal::v1::KeptJob& kept : archive_.TakeUnfinished()) {
    internal::v1::Job queued = std::move(*kept.mutable_queued());
    kept.clear_queued();
    const absl::Status status = ResumeOne(kept, queued);
    if (status.ok()) {
      // What the server before has kept is there if this cannot be written.
      archive_.Keep(std::move(kept), std::move(queued),
                    [](const absl::Status&) {});
    } else {
      EndUnfinished(std::move(kept), status);
    }
  }
}

absl::Status JobIntake::ResumeOne(const internal::v1::KeptJob& kept,
                                  const internal::v1::Job& queued) {
  if (kept.restarts() > JobArchive::kMostRestarts) {
    return ErrorWithReason(absl::StatusCode::kInternal, "JOB_LOST",
                           "servers ended before the job did, too often");
  }
  Draft draft = {.job = queued,
                 .kept = kept,
                 .file = {.job_id = queued.id(),
                          .tenant = kept.tenant(),
                          .request_id = kept.job().request_id(),
                          .digest = kept.digest(),
                          .goes_on = queued.request().on_disconnect() !=
                                     v1::ON_DISCONNECT_CANCEL,
                          .is_kept = true,
                          .traceparent = kept.traceparent()},
                 .was_accepted = true,
                 .begun = dependencies_.clock.Date()};
  const auto filed = archive_.logs().File(draft.file);
  if (!filed.ok()) return filed.status();
  return Queue(std::move(draft), FirstSequence(kept));
}

void JobIntake::EndUnfinished(internal::v1::KeptJob kept,
                              const absl::Status& status) {
  const std::string id = kept.job().id();
  spdlog::warn("job {} of an earlier server is not done: {}", id,
               std::string(status.message()));
  const auto filed = archive_.logs().File({.job_id = id,
                                           .tenant = kept.tenant(),
                                           .goes_on = true,
                                           .is_kept = true});
  if (!filed.ok()) return;
  v1::JobEvent end;
  end.set_job_id(id);
  end.set_sequence(FirstSequence(kept) + 1);
  *end.mutable_ended() = EndedBy(status);
  const auto sink = archive_.logs().SinkOf(id, FirstSequence(kept));
  archive_.book().Add(std::move(kept));
  sink->Post(std::move(end));
}

}  // namespace genzo
