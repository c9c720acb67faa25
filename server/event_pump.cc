#include "server/event_pump.h"

#include <utility>

#include "base/clock.h"

namespace genzo {

EventPump::EventPump(std::function<void()> tick, absl::Duration period)
    : tick_(std::move(tick)), period_(period) {
  thread_ = std::thread([this] { Loop(); });
}

EventPump::~EventPump() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  thread_.join();
}

void EventPump::Add(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  work_.push_back(std::move(work));
}

void EventPump::Loop() {
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !work_.empty();
  };
  // Not by the date, which may be set back.
  const Clock& clock = Clock::Real();
  absl::Time due = clock.Now() + period_;
  while (true) {
    std::deque<std::function<void()>> work;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(
          absl::Condition(&ready),
          tick_ ? due - clock.Now() : absl::InfiniteDuration());
      if (work_.empty() && closed_) return;
      work = std::exchange(work_, {});
    }
    for (const std::function<void()>& step : work) step();
    if (tick_ && clock.Now() >= due) {
      tick_();
      due = clock.Now() + period_;
    }
  }
}

}  // namespace genzo
