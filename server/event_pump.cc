#include "server/event_pump.h"

#include <utility>

#include "absl/time/clock.h"

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
  absl::Time due = absl::Now() + period_;
  while (true) {
    std::deque<std::function<void()>> work;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithDeadline(absl::Condition(&ready),
                               tick_ ? due : absl::InfiniteFuture());
      if (work_.empty() && closed_) return;
      work = std::exchange(work_, {});
    }
    for (const std::function<void()>& step : work) step();
    if (tick_ && absl::Now() >= due) {
      tick_();
      due = absl::Now() + period_;
    }
  }
}

}  // namespace genzo
