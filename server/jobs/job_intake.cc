#include "server/jobs/job_intake.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "base/request_pictures.h"
#include "queue/job_end.h"
#include "queue/pool_view.h"

namespace genzo {
namespace {

// Events of a job that an earlier server began had lower sequences.
uint64_t FirstSequence(const internal::v1::KeptJob& job) {
  return uint64_t{job.servers()} << 32;
}

LogFields FactsOf(const JobDraft& draft, bool with_prompt) {
  const internal::v1::Job& job = draft.job;
  const v1::GenerateRequest& request = job.request();
  return {{"job", job.id()},
          {"request_id", request.request_id()},
          {"x_request_id", draft.x_request_id},
          {"key", KeyIdOf(draft.grant)},
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
            {"x_request_id", caller.x_request_id},
            {"key", KeyIdOf(caller.grant)},
            {"tenant", caller.tenant},
            {"trace", caller.trace.has_value() ? caller.trace->trace_id : ""},
            {"reason", ErrorReason(status)},
            {"message", std::string(status.message())}});
}

void LogReadAgain(const std::string& tenant, const EventReader& reader) {
  LogEvent(spdlog::level::info, "job read again",
           {{"job", reader.job_id()},
            {"tenant", tenant},
            {"trace", TraceIdOf(reader.traceparent())}});
}

}  // namespace

std::string JobIntake::ResultKey(const JobDraft& draft) const {
  if (dependencies_.results == nullptr || !draft.may_repeat) return "";
  const v1::GenerateRequest& request = draft.job.request();
  const auto model = dependencies_.catalog.Get(request.model());
  return model.ok() ? ResultCache::KeyOf(draft.job.tenant(), request, *model)
                    : "";
}

void JobIntake::Repeat(JobDraft draft, const std::vector<v1::Image>& images,
                       uint64_t sequence) {
  const std::string id = draft.job.id();
  LogFields facts = FactsOf(draft, dependencies_.log_prompts);
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

absl::Status JobIntake::Queue(JobDraft draft, uint64_t sequence,
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
  const LogFields facts = FactsOf(draft, dependencies_.log_prompts);
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

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::ReadAgain(
    const JobFile& file, const ReaderListener& listener) {
  const auto id = archive_.FindAgain(file);
  if (!id.ok()) return id.status();
  if (id->empty()) return nullptr;
  auto reader = archive_.Watch(file.tenant, *id, /*after=*/0, listener);
  if (reader.status().code() == absl::StatusCode::kNotFound) {
    // Perhaps its last reader has just left, and the job with it.
    const auto now = archive_.FindAgain(file);
    if (now.ok() && now->empty()) return nullptr;
  }
  if (reader.ok()) LogReadAgain(file.tenant, **reader);
  return reader;
}

internal::v1::KeptJob JobIntake::CopyOf(const JobDraft& draft) const {
  internal::v1::KeptJob copy;
  if (!archive_.keeps_jobs()) return copy;
  copy = draft.kept;
  *copy.mutable_queued() = draft.job;
  return copy;
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Open(
    absl::StatusOr<JobDraft> draft, const ReaderListener& listener) {
  if (!draft.ok()) return draft.status();
  auto opened = archive_.logs().Open(draft->file, listener);
  if (!opened.ok()) return opened.status();
  if (!opened->is_new) {
    LogReadAgain(draft->file.tenant, *opened->reader);
    return std::move(opened->reader);
  }
  const bool goes_on = draft->file.goes_on;
  internal::v1::KeptJob copy;
  if (goes_on) copy = CopyOf(*draft);
  const absl::Status queued =
      Queue(*std::move(draft), /*sequence=*/0, opened->reader.get());
  if (!queued.ok()) return queued;
  // The stream does not wait for the disk, nor end with it.
  if (goes_on) archive_.Keep(std::move(copy), [](const absl::Status&) {});
  return std::move(opened->reader);
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::Submit(
    const v1::GenerateRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  // First: what is there needs no model, nor what the key may have now.
  const JobFile file = FileOf(request, caller.tenant);
  auto reader = ReadAgain(file, listener);
  if (reader.ok() && *reader == nullptr) {
    reader =
        Open(drafter_.Draft(request, caller, deadline, file.digest), listener);
  }
  if (!reader.ok()) LogRefusal(request.request_id(), caller, reader.status());
  return reader;
}

absl::StatusOr<std::unique_ptr<EventReader>> JobIntake::SubmitUpscaling(
    const v1::UpscaleRequest& request, const Caller& caller,
    absl::Time deadline, const ReaderListener& listener) {
  auto reader = Open(drafter_.Draft(request, caller, deadline), listener);
  if (!reader.ok()) LogRefusal({}, caller, reader.status());
  return reader;
}

absl::StatusOr<std::string> JobIntake::FileAndQueue(JobDraft draft) {
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

void JobIntake::Create(
    const v1::GenerateRequest& request, const Caller& caller,
    const std::string& webhook,
    std::function<void(absl::StatusOr<internal::v1::KeptJob>)> done) {
  const auto tell = [this, caller, done](const std::string& id) {
    done(archive_.book().Get(caller.tenant, id));
  };
  const auto refuse = [request_id = request.request_id(), caller,
                       done](const absl::Status& why) {
    LogRefusal(request_id, caller, why);
    done(why);
  };
  const JobFile file = FileOf(request, caller.tenant, webhook);
  const auto before = archive_.FindAgain(file);
  if (!before.ok()) return refuse(before.status());
  if (!before->empty()) return tell(*before);
  auto draft =
      drafter_.Draft(request, caller, absl::InfiniteFuture(), file.digest);
  if (!draft.ok()) return refuse(draft.status());
  draft->kept.set_webhook(webhook);
  draft->file.is_kept = true;
  draft->file.goes_on = request.on_disconnect() != v1::ON_DISCONNECT_CANCEL;
  const std::string new_id = draft->job.id();
  internal::v1::KeptJob copy = CopyOf(*draft);
  const auto id = FileAndQueue(*std::move(draft));
  if (!id.ok()) return refuse(id.status());
  // Somebody sent the same meanwhile.
  if (*id != new_id) return tell(*id);
  archive_.Keep(std::move(copy),
                [this, id = *id, tell, refuse](const absl::Status& kept) {
                  if (kept.ok()) return tell(id);
                  Undo(id, kept);
                  refuse(kept);
                });
}

absl::StatusOr<v1::Job> JobIntake::Estimate(const v1::GenerateRequest& request,
                                            const Caller& caller) const {
  auto draft =
      drafter_.Draft(request, caller, absl::InfiniteFuture(), /*digest=*/"");
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

void JobIntake::Resume() {
  for (internal::v1::KeptJob& kept : archive_.TakeUnfinished()) {
    internal::v1::Job queued = std::move(*kept.mutable_queued());
    kept.clear_queued();
    const absl::Status status = ResumeOne(kept, queued);
    if (status.ok()) {
      // What the server before has kept is there if this cannot be written.
      *kept.mutable_queued() = std::move(queued);
      archive_.Keep(std::move(kept), [](const absl::Status&) {});
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
  JobDraft draft = {.job = queued,
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
