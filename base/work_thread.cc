#include "base/work_thread.h"

#include <chrono>
#include <utility>

#include "base/clock.h"

namespace genzo {

WorkThread::WorkThread(std::function<void()> tick, absl::Duration period)
    : tick_(std::move(tick)), period_(period) {
  thread_ = std::thread([this] { Loop(); });
}

WorkThread::~WorkThread() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void WorkThread::Add(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void WorkThread::Wait(absl::Duration timeout,
                      std::unique_lock<std::mutex>& lock) {
  const auto ready = [this] { return closed_ || !work_.empty(); };
  if (timeout == absl::InfiniteDuration()) return changed_.wait(lock, ready);
  changed_.wait_until(
      lock,
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout),
      ready);
}

void WorkThread::Loop() {
  const Clock& clock = Clock::Real();
  absl::Time due = clock.Now() + period_;
  while (true) {
    std::deque<std::function<void()>> work;
    {
      std::unique_lock lock(mutex_);
      Wait(tick_ ? due - clock.Now() : absl::InfiniteDuration(), lock);
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
