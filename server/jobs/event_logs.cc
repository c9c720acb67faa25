#include "server/jobs/event_logs.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/tracing.h"
#include "queue/job_end.h"

namespace genzo {
namespace {

using v1::JobEvent;

absl::Status NotFiled(const std::string& job_id) {
  return absl::NotFoundError(absl::StrCat("job ", job_id, " is not filed"));
}

absl::Status TooSlow() {
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "READER_TOO_SLOW",
      "the job's reader left more unread than the server can hold");
}

// Writes the line of a job that has ended. Once the lock is free: who reads the
// log may be slow.
std::function<void()> LineOfEnd(const EventLog& log, const v1::Ended& ended) {
  const JobFile& file = log.file();
  const absl::Duration took = log.ended() - log.accepted();
  LogFields fields = {
      {"job", file.job_id},
      {"request_id", file.request_id},
      {"tenant", file.tenant},
      {"trace", TraceIdOf(file.traceparent)},
      {"state", v1::JobState_Name(ended.state())},
      {"reason", ErrorReason(StatusOf(ended))},
      {"seconds", absl::StrFormat("%.3f", absl::ToDoubleSeconds(took))},
      {"images", absl::StrCat(log.images())},
      {"images_failed", absl::StrCat(ended.images_failed())},
      {"steps", absl::StrCat(ended.steps_run())}};
  return [fields = std::move(fields)] {
    LogEvent(spdlog::level::info, "job ended", fields);
  };
}

}  // namespace

// Names the job only, so that it may outlive what is filed of it.
class EventLogs::Sink : public EventSink {
 public:
  Sink(EventLogs& logs, std::string job_id, uint64_t after)
      : logs_(logs), job_id_(std::move(job_id)), after_(after) {}
  void Post(JobEvent event) override {
    event.set_sequence(event.sequence() + after_);
    logs_.Post(job_id_, std::move(event));
  }

 private:
  EventLogs& logs_;
  const std::string job_id_;
  const uint64_t after_;
};

EventReader::~EventReader() { logs_.Leave(job_id_, number_); }

EventRef EventReader::Next() { return logs_.Next(job_id_, number_); }

EventLogs::EventLogs(const DeliveryLimits& limits,
                     std::function<void(const std::string&)> cancel,
                     const Clock& clock, Metrics& metrics,
                     JobListener* listener)
    : limits_(limits),
      cancel_(std::move(cancel)),
      clock_(clock),
      metrics_(metrics),
      listener_(listener),
      held_(limits, metrics),
      streams_(limits.max_streams, metrics) {}

absl::StatusOr<EventLogs::Filed> EventLogs::FileLocked(const JobFile& file) {
  const auto known = by_request_.find({file.tenant, file.request_id});
  if (!file.request_id.empty() && known != by_request_.end()) {
    const std::string& job_id = known->second;
    if (logs_.at(job_id).file().digest == file.digest) {
      return Filed{job_id, /*is_new=*/false};
    }
    return RequestIdInUseError(file.request_id);
  }
  logs_.try_emplace(file.job_id, file, clock_.Now(), held_, metrics_);
  if (!file.request_id.empty()) {
    by_request_[{file.tenant, file.request_id}] = file.job_id;
  }
  return Filed{file.job_id, /*is_new=*/true};
}

std::unique_ptr<EventReader> EventLogs::AttachLocked(
    const std::string& job_id, uint64_t after, const ReaderListener& listener) {
  EventLog& log = logs_.at(job_id);
  const int64_t number = next_reader_++;
  log.AddReader(number, after, listener, clock_.Now());
  streams_.Add(log.file().tenant);
  return std::unique_ptr<EventReader>(
      new EventReader(*this, log.file(), number));
}

absl::StatusOr<EventLogs::Opened> EventLogs::Open(
    const JobFile& file, const ReaderListener& listener) {
  absl::MutexLock lock(&mutex_);
  const absl::Status room = streams_.CheckOneMore(file.tenant);
  if (!room.ok()) return room;
  const auto filed = FileLocked(file);
  if (!filed.ok()) return filed.status();
  return Opened{AttachLocked(filed->job_id, /*after=*/0, listener),
                filed->is_new};
}

absl::StatusOr<EventLogs::Filed> EventLogs::File(const JobFile& file) {
  absl::MutexLock lock(&mutex_);
  return FileLocked(file);
}

absl::StatusOr<std::unique_ptr<EventReader>> EventLogs::Watch(
    const std::string& job_id, uint64_t after, const ReaderListener& listener) {
  absl::MutexLock lock(&mutex_);
  const auto log = logs_.find(job_id);
  if (log == logs_.end() || log->second.is_hidden()) return NotFiled(job_id);
  const absl::Status room = streams_.CheckOneMore(log->second.file().tenant);
  if (!room.ok()) return room;
  return AttachLocked(job_id, after, listener);
}

absl::StatusOr<std::unique_ptr<EventReader>> EventLogs::Restore(
    const JobFile& file, const std::vector<EventRef>& events, absl::Time ended,
    uint64_t after, const ReaderListener& listener) {
  absl::MutexLock lock(&mutex_);
  const absl::Status room = streams_.CheckOneMore(file.tenant);
  if (!room.ok()) return room;
  const auto before = logs_.find(file.job_id);
  if (before == logs_.end()) {
    const absl::Status filed = RefileLocked(file, events, ended);
    if (!filed.ok()) return filed;
  } else if (before->second.is_hidden()) {
    return RetryLaterError("RESULTS_BUSY",
                           "the job's results are being taken from a reader "
                           "that was too slow",
                           kResultsRetry);
  }
  return AttachLocked(file.job_id, after, listener);
}

absl::Status EventLogs::RefileLocked(const JobFile& file,
                                     const std::vector<EventRef>& events,
                                     absl::Time ended) {
  int64_t bytes = 0;
  for (const EventRef& event : events) bytes += PictureBytes(*event);
  const absl::Status fits = held_.CheckRoom(file.tenant, bytes);
  if (!fits.ok()) return fits;
  const auto filed = FileLocked(file);
  if (!filed.ok()) return filed.status();
  // Its request id may be another job's by now.
  if (!filed->is_new) return NotFiled(file.job_id);
  logs_.at(file.job_id).Refill(events, ended);
  return absl::OkStatus();
}

void EventLogs::KeptElsewhere(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = logs_.find(job_id);
  if (found == logs_.end()) return;
  found->second.NoteElsewhere();
  if (!found->second.has_readers()) ForgetLocked(found);
}

bool EventLogs::Has(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto log = logs_.find(job_id);
  return log != logs_.end() && !log->second.is_hidden();
}

std::shared_ptr<EventSink> EventLogs::SinkOf(const std::string& job_id,
                                             uint64_t after) {
  return std::make_shared<Sink>(*this, job_id, after);
}

void EventLogs::Drop(const std::string& job_id, const absl::Status& why,
                     const EventReader* opener) {
  Calls calls;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = logs_.find(job_id);
    if (found == logs_.end()) return;
    EventLog& log = found->second;
    if (!log.has_readers()) return (void)ForgetLocked(found);
    UnlinkLocked(log);
    log.Hide();  // nothing to cancel
    if (log.has_ended()) return;
    // Whoever sent the same request meanwhile waits for it.
    log.End(why, clock_.Now());
    log.TellReaders(calls, /*but=*/opener == nullptr ? 0 : opener->number_);
  }
  for (const auto& call : calls) call();
}

void EventLogs::Post(const std::string& job_id, JobEvent event) {
  Calls calls;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = logs_.find(job_id);
    if (found == logs_.end()) return;
    EventLog& log = found->second;
    if (log.has_ended()) return;
    log.Add(std::move(event), clock_.Now());
    // A request that came to nothing may be sent again.
    if (log.has_ended() && log.images() == 0) UnlinkLocked(log);
    TellLastLocked(log, calls);
    log.TellReaders(calls);
    if (log.has_ended() && !log.has_readers() && !log.IsKept()) {
      ForgetLocked(found);  // nobody comes
    } else {
      KeepBoundsLocked(log, calls);  // may forget it too
    }
  }
  for (const auto& call : calls) call();
}

EventRef EventLogs::Next(const std::string& job_id, int64_t reader) {
  absl::MutexLock lock(&mutex_);
  // It has a reader, so it is there.
  return logs_.at(job_id).Next(reader, clock_.Now());
}

void EventLogs::Leave(const std::string& job_id, int64_t reader) {
  bool cancel = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = logs_.find(job_id);
    EventLog& log = found->second;
    log.RemoveReader(reader);
    streams_.Remove(log.file().tenant);
    if (log.has_readers()) return;
    const bool nobody_comes = log.has_ended() && !log.IsKept();
    if (log.is_hidden() || log.is_elsewhere() || nobody_comes) {
      ForgetLocked(found);
    } else if (!log.has_ended() && !log.file().goes_on) {
      cancel = true;
      log.Hide();
      UnlinkLocked(log);
    }
  }
  if (cancel) cancel_(job_id);
}

void EventLogs::Sweep() {
  Calls calls;
  std::vector<std::string> cancelled;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_.Now();
    for (auto log = logs_.begin(); log != logs_.end();) {
      log->second.GiveUpReaders(now - limits_.reader_timeout, calls);
      const bool expired = !log->second.has_readers() &&
                           now - log->second.ended() >= limits_.results_kept;
      log = expired ? ForgetLocked(log) : std::next(log);
    }
    cancelled = std::exchange(to_cancel_, {});
  }
  for (const auto& call : calls) call();
  for (const std::string& id : cancelled) cancel_(id);
}

void EventLogs::TellLastLocked(const EventLog& log, Calls& calls) {
  const JobEvent& event = *log.events().back();
  if (event.has_ended()) calls.push_back(LineOfEnd(log, event.ended()));
  if (listener_ == nullptr) return;
  listener_->Posted(log.file().job_id, event);
  if (!event.has_ended()) return;
  std::vector<EventRef> kept;
  if (log.IsKept()) kept.assign(log.events().begin(), log.events().end());
  listener_->Ended(log.file().job_id, kept);
}

void EventLogs::KeepBoundsLocked(EventLog& log, Calls& calls) {
  const std::string tenant = log.file().tenant;  // the log may go
  const bool passes = log.bytes() > limits_.job_bytes ||
                      held_.TenantPasses(tenant) || held_.AllPass();
  if (passes && log.events().back()->has_preview()) {
    metrics_.previews_dropped().Increment();
    log.DropLast();
  }
  // What readers have had is not kept at the price of what they wait for.
  if (log.bytes() > limits_.job_bytes && !log.file().is_kept) {
    log.StopKeeping();
    if (!log.file().request_id.empty()) UnlinkLocked(log);
  }
  if (log.bytes() > limits_.job_bytes) EndTooSlowLocked(log, calls);
  while (held_.TenantPasses(tenant) && FreeSomeLocked(&tenant, calls)) {
  }
  while (held_.AllPass() && FreeSomeLocked(nullptr, calls)) {
  }
}

bool EventLogs::FreeSomeLocked(const std::string* tenant, Calls& calls) {
  auto oldest = logs_.end();
  auto slowest = logs_.end();
  for (auto log = logs_.begin(); log != logs_.end(); ++log) {
    const EventLog& candidate = log->second;
    if (tenant != nullptr && candidate.file().tenant != *tenant) continue;
    if (!candidate.CanFree()) continue;
    if (candidate.has_ended() && !candidate.has_readers()) {
      if (oldest == logs_.end() || candidate.ended() < oldest->second.ended()) {
        oldest = log;
      }
    } else if (slowest == logs_.end() ||
               candidate.read_since() < slowest->second.read_since()) {
      slowest = log;
    }
  }
  if (oldest != logs_.end()) {
    ForgetLocked(oldest);
    return true;
  }
  if (slowest == logs_.end()) return false;
  EndTooSlowLocked(slowest->second, calls);
  return true;
}

void EventLogs::EndTooSlowLocked(EventLog& log, Calls& calls) {
  const bool lives = !log.has_ended();
  UnlinkLocked(log);
  log.CutOff(TooSlow(), clock_.Now());
  if (lives) {
    to_cancel_.push_back(log.file().job_id);
    TellLastLocked(log, calls);
  }
  log.TellReaders(calls);
}

void EventLogs::UnlinkLocked(const EventLog& log) {
  const JobFile& file = log.file();
  const auto found = by_request_.find({file.tenant, file.request_id});
  if (found != by_request_.end() && found->second == file.job_id) {
    by_request_.erase(found);
  }
}

EventLogs::Logs::iterator EventLogs::ForgetLocked(Logs::iterator log) {
  UnlinkLocked(log->second);
  if (listener_ != nullptr && !log->second.is_elsewhere()) {
    listener_->Forgotten(log->first);
  }
  return logs_.erase(log);
}

}  // namespace genzo
