#include "base/work_thread.h"

#include <utility>

#include "base/clock.h"

namespace genzo {

WorkThread::WorkThread(std::function<void()> tick, absl::Duration period)
    : tick_(std::move(tick)), period_(period) {
  thread_ = std::thread([this] { Loop(); });
}

WorkThread::~WorkThread() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  thread_.join();
}

void WorkThread::Add(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  work_.push_back(std::move(work));
}

void WorkThread::Loop() {
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
    // Each is dropped before the next: what it holds may be large or waited
    // for.
    for (std::function<void()>& step : work) std::exchange(step, nullptr)();
    if (tick_ && clock.Now() >= due) {
      tick_();
      due = clock.Now() + period_;
    }
  }
}

}  // namespace genzo
