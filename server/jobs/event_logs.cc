#include "server/jobs/event_logs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/tracing.h"
#include "queue/job_end.h"

namespace genzo {
namespace {

using v1::JobEvent;

constexpr char kTooManyStreams[] = "TOO_MANY_STREAMS";
constexpr absl::Duration kStreamRetry = absl::Seconds(5);
constexpr absl::Duration kResultsRetry = absl::Seconds(5);
// One part of so many of all streams is not to be had by the tenants that have
// most, so that these cannot lock out the others.
constexpr int kStreamsForTheModest = 8;

// Whether `newer` makes `older` worthless.
bool Overtakes(const JobEvent& newer, const JobEvent& older) {
  if (newer.event_case() != older.event_case()) return false;
  switch (newer.event_case()) {
    case JobEvent::kQueued:
      return true;
    case JobEvent::kProgress:
      return newer.progress().image_index() == older.progress().image_index();
    case JobEvent::kPreview:
      return newer.preview().image_index() == older.preview().image_index();
    default:
      return false;
  }
}

int64_t PictureBytes(const JobEvent& event) {
  return static_cast<int64_t>(event.preview().picture().data().size() +
                              event.image().picture().data().size());
}

absl::Status NotFiled(const std::string& job_id) {
  return absl::NotFoundError(absl::StrCat("job ", job_id, " is not filed"));
}

absl::Status TooSlow() {
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "READER_TOO_SLOW",
      "the job's reader left more unread than the server can hold");
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

std::shared_ptr<const JobEvent> EventReader::Next() {
  return logs_.Next(job_id_, number_);
}

EventLogs::EventLogs(const DeliveryLimits& limits,
                     std::function<void(const std::string&)> cancel,
                     const Clock& clock, Metrics& metrics,
                     JobListener* listener)
    : limits_(limits),
      cancel_(std::move(cancel)),
      clock_(clock),
      metrics_(metrics),
      listener_(listener) {}

absl::Status EventLogs::CheckStreamsLocked(const std::string& tenant) const {
  const int last = limits_.max_streams / kStreamsForTheModest;
  if (streams_ < limits_.max_streams - last) return absl::OkStatus();
  const int64_t own = tenant_streams_.Of(tenant);
  const int64_t tenants = tenant_streams_.Count() + (own == 0 ? 1 : 0);
  const bool modest = own * tenants < streams_;  // less than an even share
  if (modest && streams_ < limits_.max_streams) return absl::OkStatus();
  metrics_.CountShed(kTooManyStreams);
  return RetryLaterError(
      kTooManyStreams,
      absl::StrCat("the server has ", streams_, " streams, ", own,
                   " of them the caller's; its limit is ", limits_.max_streams,
                   ", the last ", last,
                   " for tenants that have less than an even share"),
      kStreamRetry, {}, absl::StatusCode::kResourceExhausted);
}

absl::StatusOr<EventLogs::Filed> EventLogs::FileLocked(const JobFile& file) {
  const auto known = by_request_.find({file.tenant, file.request_id});
  if (!file.request_id.empty() && known != by_request_.end()) {
    const std::string& job_id = known->second;
    if (logs_.at(job_id).file.digest == file.digest) {
      return Filed{job_id, /*is_new=*/false};
    }
    return RequestIdInUseError(file.request_id);
  }
  Log& log = logs_[file.job_id];
  log.file = file;
  log.accepted = log.read_since = clock_.Now();
  if (!file.request_id.empty()) {
    by_request_[{file.tenant, file.request_id}] = file.job_id;
  }
  return Filed{file.job_id, /*is_new=*/true};
}

std::unique_ptr<EventReader> EventLogs::AttachLocked(
    const std::string& job_id, uint64_t after, const ReaderListener& listener) {
  Log& log = logs_.at(job_id);
  const int64_t number = next_reader_++;
  log.read_since = clock_.Now();
  // Whoever claims to have read more than there is waits for the end all the
  // same, and the end is given to everybody.
  const uint64_t last = log.events.empty() ? 0 : log.events.back()->sequence();
  const bool has_end = !log.events.empty() && log.events.back()->has_ended();
  log.readers[number] = {.listener = listener,
                         .read = std::min(after, has_end ? last - 1 : last),
                         .since = log.read_since};
  metrics_.streams().Set(++streams_);
  tenant_streams_.Add(log.file.tenant, 1);
  return std::unique_ptr<EventReader>(new EventReader(*this, log.file, number));
}

absl::StatusOr<EventLogs::Opened> EventLogs::Open(
    const JobFile& file, const ReaderListener& listener) {
  absl::MutexLock lock(&mutex_);
  const absl::Status room = CheckStreamsLocked(file.tenant);
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
  if (log == logs_.end() || log->second.leaving) {
    return NotFiled(job_id);
  }
  const absl::Status room = CheckStreamsLocked(log->second.file.tenant);
  if (!room.ok()) return room;
  return AttachLocked(job_id, after, listener);
}

absl::StatusOr<std::unique_ptr<EventReader>> EventLogs::Restore(
    const JobFile& file, const std::vector<EventRef>& events, absl::Time ended,
    uint64_t after, const ReaderListener& listener) {
  absl::MutexLock lock(&mutex_);
  const absl::Status room = CheckStreamsLocked(file.tenant);
  if (!room.ok()) return room;
  const auto before = logs_.find(file.job_id);
  if (before == logs_.end()) {
    const absl::Status fits = CheckBytesLocked(file.tenant, events);
    if (!fits.ok()) return fits;
    const auto filed = FileLocked(file);
    if (!filed.ok()) return filed.status();
    // Its request id may be another job's by now.
    if (!filed->is_new) return NotFiled(file.job_id);
    RefillLocked(logs_.at(file.job_id), events, ended);
  } else if (before->second.leaving) {
    return RetryLaterError("RESULTS_BUSY",
                           "the job's results are being taken from a reader "
                           "that was too slow",
                           kResultsRetry);
  }
  return AttachLocked(file.job_id, after, listener);
}

absl::Status EventLogs::CheckBytesLocked(
    const std::string& tenant, const std::vector<EventRef>& events) const {
  int64_t bytes = 0;
  for (const EventRef& event : events) bytes += PictureBytes(*event);
  const int64_t own = tenant_bytes_.Of(tenant);
  const bool fits = (own == 0 || own + bytes <= limits_.tenant_bytes) &&
                    (bytes_ == 0 || bytes_ + bytes <= limits_.process_bytes);
  if (fits) return absl::OkStatus();
  return RetryLaterError(
      "RESULTS_BUSY",
      absl::StrCat("the job's ", bytes, " bytes have no room beside the ", own,
                   " that wait for the caller's readers and the ", bytes_,
                   " of all"),
      kResultsRetry, {}, absl::StatusCode::kResourceExhausted);
}

void EventLogs::RefillLocked(Log& log, const std::vector<EventRef>& events,
                             absl::Time ended) {
  log.ended = ended;
  log.elsewhere = true;
  for (const EventRef& event : events) {
    log.images += event->has_image() || event->has_image_withheld() ? 1 : 0;
    log.events.push_back(event);
    AddBytesLocked(log, PictureBytes(*event));
  }
}

void EventLogs::KeptElsewhere(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = logs_.find(job_id);
  if (found == logs_.end()) return;
  found->second.elsewhere = true;
  if (found->second.readers.empty()) ForgetLocked(found);
}

bool EventLogs::Has(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  const auto log = logs_.find(job_id);
  return log != logs_.end() && !log->second.leaving;
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
    Log& log = found->second;
    if (log.readers.empty()) return (void)ForgetLocked(found);
    UnlinkLocked(log);
    log.leaving = true;  // nothing to cancel
    if (log.ended < absl::InfiniteFuture()) return;
    // Whoever sent the same request meanwhile waits for it.
    log.ended = clock_.Now();
    log.events.push_back(EndOf(log, why));
    for (const auto& [number, reader] : log.readers) {
      if (opener != nullptr && opener->number_ == number) continue;
      calls.push_back(reader.listener.event);
    }
  }
  for (const auto& call : calls) call();
}

void EventLogs::Post(const std::string& job_id, JobEvent event) {
  Calls calls;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = logs_.find(job_id);
    if (found == logs_.end()) return;
    Log& log = found->second;
    if (log.ended < absl::InfiniteFuture()) return;
    OvertakeLocked(log, event);
    log.images += event.has_image() || event.has_image_withheld() ? 1 : 0;
    if (event.has_ended()) NoteEndLocked(log, event.ended(), calls);
    AddBytesLocked(log, PictureBytes(event));
    log.events.push_back(std::make_shared<const JobEvent>(std::move(event)));
    TellLocked(log, *log.events.back());
    for (const auto& [_, reader] : log.readers) {
      calls.push_back(reader.listener.event);
    }
    const bool nobody_comes = log.readers.empty() && !IsKept(log) &&
                              log.ended < absl::InfiniteFuture();
    if (nobody_comes) {
      ForgetLocked(found);
    } else {
      KeepBoundsLocked(log, calls);  // may forget it too
    }
  }
  for (const auto& call : calls) call();
}

EventRef EventLogs::Next(const std::string& job_id, int64_t number) {
  absl::MutexLock lock(&mutex_);
  Log& log = logs_.at(job_id);  // has a reader, so it is there
  Reader& reader = log.readers.at(number);
  const absl::Time now = clock_.Now();
  reader.since = now;
  if (reader.in_flight != nullptr) {
    log.read_since = now;
    reader.read = reader.in_flight->sequence();
    reader.in_flight.reset();
    TrimLocked(log);
  }
  const auto next = std::find_if(
      log.events.begin(), log.events.end(),
      [&](const EventRef& e) { return e->sequence() > reader.read; });
  if (next != log.events.end()) reader.in_flight = *next;
  return reader.in_flight;
}

void EventLogs::Leave(const std::string& job_id, int64_t number) {
  bool cancel = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = logs_.find(job_id);
    Log& log = found->second;
    log.readers.erase(number);
    metrics_.streams().Set(--streams_);
    tenant_streams_.Add(log.file.tenant, -1);
    TrimLocked(log);
    if (!log.readers.empty()) return;
    const bool lives = log.ended == absl::InfiniteFuture();
    if (log.leaving || log.elsewhere || (!lives && !IsKept(log))) {
      ForgetLocked(found);
    } else if (lives && !log.file.goes_on) {
      cancel = true;
      log.leaving = true;
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
      for (auto& [_, reader] : log->second.readers) {
        if (reader.in_flight == nullptr || reader.given_up ||
            now - reader.since < limits_.reader_timeout) {
          continue;
        }
        reader.given_up = true;
        metrics_.slow_readers().Increment();
        calls.push_back(reader.listener.given_up);
      }
      const bool expired = log->second.readers.empty() &&
                           now - log->second.ended >= limits_.results_kept;
      log = expired ? ForgetLocked(log) : std::next(log);
    }
    cancelled = std::exchange(to_cancel_, {});
  }
  for (const auto& call : calls) call();
  for (const std::string& id : cancelled) cancel_(id);
}

EventRef EventLogs::EndOf(const Log& log, const absl::Status& why) {
  JobEvent event;
  event.set_job_id(log.file.job_id);
  event.set_sequence(log.events.empty() ? 1
                                        : log.events.back()->sequence() + 1);
  *event.mutable_ended() = EndedBy(why);
  return std::make_shared<const JobEvent>(std::move(event));
}

bool EventLogs::IsInFlight(const Log& log, const EventRef& event) {
  return std::any_of(
      log.readers.begin(), log.readers.end(),
      [&](const auto& reader) { return reader.second.in_flight == event; });
}

bool EventLogs::IsKept(const Log& log) {
  if (log.leaving) return false;
  if (log.file.is_kept) return true;
  if (log.file.request_id.empty() || log.too_large) return false;
  return log.ended == absl::InfiniteFuture() || log.images > 0;
}

void EventLogs::AddBytesLocked(Log& log, int64_t bytes) {
  log.bytes += bytes;
  bytes_ += bytes;
  tenant_bytes_.Add(log.file.tenant, bytes);
  metrics_.undelivered_bytes().Set(static_cast<double>(bytes_));
}

EventLogs::Events::iterator EventLogs::EraseLocked(Log& log,
                                                   Events::iterator event) {
  AddBytesLocked(log, -PictureBytes(**event));
  return log.events.erase(event);
}

void EventLogs::OvertakeLocked(Log& log, const JobEvent& event) {
  for (auto it = log.events.begin(); it != log.events.end();) {
    if (!Overtakes(event, **it) || IsInFlight(log, *it)) {
      ++it;
      continue;
    }
    const bool missed =
        (*it)->has_preview() &&
        std::any_of(log.readers.begin(), log.readers.end(),
                    [&](const auto& reader) {
                      return reader.second.read < (*it)->sequence();
                    });
    if (missed) metrics_.previews_dropped().Increment();
    it = EraseLocked(log, it);
  }
}

void EventLogs::TrimLocked(Log& log) {
  if (IsKept(log) || log.readers.empty()) return;
  uint64_t read_by_all = UINT64_MAX;
  for (const auto& [_, reader] : log.readers) {
    read_by_all = std::min(read_by_all, reader.read);
  }
  while (!log.events.empty() && log.events.front()->sequence() <= read_by_all) {
    EraseLocked(log, log.events.begin());
  }
}

void EventLogs::NoteEndLocked(Log& log, const v1::Ended& ended, Calls& calls) {
  log.ended = clock_.Now();
  // A request that came to nothing may be sent again.
  if (log.images == 0) UnlinkLocked(log);
  const std::string why = ErrorReason(StatusOf(ended));
  LogFields fields = {
      {"job", log.file.job_id},
      {"request_id", log.file.request_id},
      {"tenant", log.file.tenant},
      {"trace", TraceIdOf(log.file.traceparent)},
      {"state", v1::JobState_Name(ended.state())},
      {"reason", why},
      {"seconds", absl::StrFormat(
                      "%.3f", absl::ToDoubleSeconds(log.ended - log.accepted))},
      {"images", absl::StrCat(log.images)},
      {"images_failed", absl::StrCat(ended.images_failed())},
      {"steps", absl::StrCat(ended.steps_run())}};
  // Written once the lock is free: who reads the log may be slow.
  calls.push_back([fields = std::move(fields)] {
    LogEvent(spdlog::level::info, "job ended", fields);
  });
}

void EventLogs::TellLocked(const Log& log, const JobEvent& event) {
  if (listener_ == nullptr) return;
  listener_->Posted(log.file.job_id, event);
  if (!event.has_ended()) return;
  std::vector<EventRef> kept;
  if (IsKept(log)) kept.assign(log.events.begin(), log.events.end());
  listener_->Ended(log.file.job_id, kept);
}

void EventLogs::KeepBoundsLocked(Log& log, Calls& calls) {
  const std::string tenant = log.file.tenant;  // the log may go
  const auto passed = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return log.bytes > limits_.job_bytes ||
           tenant_bytes_.Of(tenant) > limits_.tenant_bytes ||
           bytes_ > limits_.process_bytes;
  };
  if (log.events.back()->has_preview() && passed()) {
    metrics_.previews_dropped().Increment();
    EraseLocked(log, std::prev(log.events.end()));
  }
  // What readers have had is not kept at the price of what they wait for.
  if (log.bytes > limits_.job_bytes && !log.file.is_kept) {
    log.too_large = true;
    TrimLocked(log);
    if (!log.file.request_id.empty()) UnlinkLocked(log);
  }
  if (log.bytes > limits_.job_bytes) EndTooSlowLocked(log, calls);
  while (tenant_bytes_.Of(tenant) > limits_.tenant_bytes &&
         FreeSomeLocked(&tenant, calls)) {
  }
  while (bytes_ > limits_.process_bytes && FreeSomeLocked(nullptr, calls)) {
  }
}

bool EventLogs::FreeSomeLocked(const std::string* tenant, Calls& calls) {
  auto oldest = logs_.end();
  auto slowest = logs_.end();
  for (auto log = logs_.begin(); log != logs_.end(); ++log) {
    Log& candidate = log->second;
    if (tenant != nullptr && candidate.file.tenant != *tenant) continue;
    const bool in_flight_only =
        std::all_of(candidate.events.begin(), candidate.events.end(),
                    [&](const EventRef& e) {
                      return PictureBytes(*e) == 0 || IsInFlight(candidate, e);
                    });
    if (in_flight_only) continue;
    if (candidate.readers.empty() && candidate.ended < absl::InfiniteFuture()) {
      if (oldest == logs_.end() || candidate.ended < oldest->second.ended) {
        oldest = log;
      }
    } else if (slowest == logs_.end() ||
               candidate.read_since < slowest->second.read_since) {
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

void EventLogs::EndTooSlowLocked(Log& log, Calls& calls) {
  const bool lives = log.ended == absl::InfiniteFuture();
  // The end comes after all that was posted.
  EventRef end = EndOf(log, TooSlow());
  UnlinkLocked(log);
  for (auto it = log.events.begin(); it != log.events.end();) {
    it = IsInFlight(log, *it) ? std::next(it) : EraseLocked(log, it);
  }
  log.leaving = true;
  log.events.push_back(std::move(end));
  if (lives) {
    NoteEndLocked(log, log.events.back()->ended(), calls);
    to_cancel_.push_back(log.file.job_id);
    TellLocked(log, *log.events.back());
  }
  for (const auto& [_, reader] : log.readers) {
    calls.push_back(reader.listener.event);
  }
}

void EventLogs::UnlinkLocked(const Log& log) {
  const auto found = by_request_.find({log.file.tenant, log.file.request_id});
  if (found != by_request_.end() && found->second == log.file.job_id) {
    by_request_.erase(found);
  }
}

EventLogs::Logs::iterator EventLogs::ForgetLocked(Logs::iterator log) {
  UnlinkLocked(log->second);
  AddBytesLocked(log->second, -log->second.bytes);
  if (listener_ != nullptr && !log->second.elsewhere) {
    listener_->Forgotten(log->first);
  }
  return logs_.erase(log);
}

}  // namespace genzo
