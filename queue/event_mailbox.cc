#include "queue/event_mailbox.h"

#include <algorithm>

namespace genzo {
namespace {

using internal::v1::JobEvent;
using v1::GenerateResponse;

bool IsLast(const JobEvent& event) {
  return event.has_failed() || event.response().has_finished();
}

// Whether `newer` makes `older` worthless.
bool Overtakes(const JobEvent& newer, const JobEvent& older) {
  if (!newer.has_response() || !older.has_response()) return false;
  const GenerateResponse& a = newer.response();
  const GenerateResponse& b = older.response();
  if (a.event_case() != b.event_case()) return false;
  switch (a.event_case()) {
    case GenerateResponse::kQueued:
      return true;
    case GenerateResponse::kProgress:
      return a.progress().image_index() == b.progress().image_index();
    case GenerateResponse::kPreview:
      return a.preview().image_index() == b.preview().image_index();
    default:
      return false;
  }
}

}  // namespace

void EventMailbox::Post(JobEvent event) {
  std::function<void()> listener;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    ended_ = IsLast(event);
    const auto overtaken = std::find_if(
        pending_.begin(), pending_.end(),
        [&](const JobEvent& older) { return Overtakes(event, older); });
    if (overtaken != pending_.end()) {
      dropped_previews_ += overtaken->response().has_preview() ? 1 : 0;
      pending_.erase(overtaken);
    }
    pending_.push_back(std::move(event));
    listener = listener_;
  }
  if (listener) listener();
}

std::optional<JobEvent> EventMailbox::Take() {
  absl::MutexLock lock(&mutex_);
  if (pending_.empty()) return std::nullopt;
  JobEvent event = std::move(pending_.front());
  pending_.pop_front();
  return event;
}

void EventMailbox::SetListener(const std::function<void()>& listener) {
  {
    absl::MutexLock lock(&mutex_);
    listener_ = listener;
    if (pending_.empty()) return;
  }
  listener();
}

int64_t EventMailbox::dropped_previews() const {
  absl::MutexLock lock(&mutex_);
  return dropped_previews_;
}

}  // namespace genzo
