#include "server/event_pump.h"

#include <utility>

namespace genzo {

EventPump::EventPump() {
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
  while (true) {
    std::deque<std::function<void()>> work;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&ready));
      if (work_.empty()) return;
      work = std::exchange(work_, {});
    }
    for (const std::function<void()>& step : work) step();
  }
}

}  // namespace genzo
