#include "server/jobs/event_log.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "queue/job_end.h"

namespace genzo {
namespace {

using v1::JobEvent;

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

}  // namespace

// --- events ------------------------------------------------------------------

void EventLog::Add(JobEvent event, absl::Time now) {
  Overtake(event);
  if (event.has_ended()) ended_ = now;
  Append(std::make_shared<const JobEvent>(std::move(event)));
}

void EventLog::End(const absl::Status& why, absl::Time now) {
  if (!has_ended()) ended_ = now;
  Append(EndOf(why));
}

void EventLog::CutOff(const absl::Status& why, absl::Time now) {
  if (!has_ended()) ended_ = now;
  EventRef end = EndOf(why);  // before what it comes after is gone
  for (auto it = events_.begin(); it != events_.end();) {
    it = IsInFlight(*it) ? std::next(it) : Erase(it);
  }
  Append(std::move(end));
  Hide();
}

void EventLog::Refill(const std::vector<EventRef>& events, absl::Time ended) {
  for (const EventRef& event : events) Append(event);
  ended_ = ended;
  elsewhere_ = true;
}

void EventLog::DropLast() { Erase(std::prev(events_.end())); }

void EventLog::StopKeeping() {
  too_large_ = true;
  Trim();
}

EventRef EventLog::EndOf(const absl::Status& why) const {
  JobEvent event;
  event.set_job_id(file_.job_id);
  event.set_sequence(events_.empty() ? 1 : events_.back()->sequence() + 1);
  *event.mutable_ended() = EndedBy(why);
  return std::make_shared<const JobEvent>(std::move(event));
}

void EventLog::Append(EventRef event) {
  const int64_t bytes = PictureBytes(*event);
  bytes_ += bytes;
  held_.Add(file_.tenant, bytes);
  images_ += event->has_image() || event->has_image_withheld() ? 1 : 0;
  events_.push_back(std::move(event));
}

EventLog::Events::iterator EventLog::Erase(Events::iterator event) {
  const int64_t bytes = PictureBytes(**event);
  bytes_ -= bytes;
  held_.Add(file_.tenant, -bytes);
  return events_.erase(event);
}

void EventLog::Overtake(const JobEvent& event) {
  for (auto it = events_.begin(); it != events_.end();) {
    if (!Overtakes(event, **it) || IsInFlight(*it)) {
      ++it;
      continue;
    }
    const bool missed =
        (*it)->has_preview() &&
        std::any_of(readers_.begin(), readers_.end(), [&](const auto& reader) {
          return reader.second.read < (*it)->sequence();
        });
    if (missed) metrics_.previews_dropped().Increment();
    it = Erase(it);
  }
}

void EventLog::Trim() {
  if (IsKept() || readers_.empty()) return;
  uint64_t read_by_all = UINT64_MAX;
  for (const auto& [_, reader] : readers_) {
    read_by_all = std::min(read_by_all, reader.read);
  }
  while (!events_.empty() && events_.front()->sequence() <= read_by_all) {
    Erase(events_.begin());
  }
}

// --- readers -----------------------------------------------------------------

void EventLog::AddReader(int64_t number, uint64_t after,
                         const ReaderListener& listener, absl::Time now) {
  read_since_ = now;
  // Whoever claims to have read more than there is waits for the end all the
  // same, and the end is given to everybody.
  const uint64_t last = events_.empty() ? 0 : events_.back()->sequence();
  const bool has_end = !events_.empty() && events_.back()->has_ended();
  readers_[number] = {.listener = listener,
                      .read = std::min(after, has_end ? last - 1 : last),
                      .since = now};
}

void EventLog::RemoveReader(int64_t number) {
  readers_.erase(number);
  Trim();
}

EventRef EventLog::Next(int64_t number, absl::Time now) {
  Reader& reader = readers_.at(number);
  reader.since = now;
  if (reader.in_flight != nullptr) {
    read_since_ = now;
    reader.read = reader.in_flight->sequence();
    reader.in_flight.reset();
    Trim();
  }
  const auto next = std::find_if(
      events_.begin(), events_.end(),
      [&](const EventRef& e) { return e->sequence() > reader.read; });
  if (next != events_.end()) reader.in_flight = *next;
  return reader.in_flight;
}

void EventLog::TellReaders(Calls& calls, int64_t but) const {
  for (const auto& [number, reader] : readers_) {
    if (number != but) calls.push_back(reader.listener.event);
  }
}

void EventLog::GiveUpReaders(absl::Time since, Calls& calls) {
  for (auto& [_, reader] : readers_) {
    if (reader.in_flight == nullptr || reader.given_up ||
        reader.since > since) {
      continue;
    }
    reader.given_up = true;
    metrics_.slow_readers().Increment();
    calls.push_back(reader.listener.given_up);
  }
}

// --- how it stands -----------------------------------------------------------

bool EventLog::IsKept() const {
  if (hidden_) return false;
  if (file_.is_kept) return true;
  if (file_.request_id.empty() || too_large_) return false;
  return !has_ended() || images_ > 0;
}

bool EventLog::CanFree() const {
  return std::any_of(events_.begin(), events_.end(), [&](const EventRef& e) {
    return PictureBytes(*e) > 0 && !IsInFlight(e);
  });
}

bool EventLog::IsInFlight(const EventRef& event) const {
  return std::any_of(readers_.begin(), readers_.end(), [&](const auto& reader) {
    return reader.second.in_flight == event;
  });
}

}  // namespace genzo
