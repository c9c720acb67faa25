#include "worker/residency/sliced_work.h"

#include <utility>

#include "ATen/Parallel.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/thread_count.h"
#include "worker/threads/pause_point.h"

namespace genzo {

SlicedWork::SlicedWork(const Clock& clock) : clock_(clock) {
  thread_ = std::thread([this, threads = at::get_num_threads()] {
    c10::InferenceMode inference;
    UseThreads(threads);
    try {
      while (true) Loop();
    } catch (const BrokenOff&) {
    }
  });
}

SlicedWork::~SlicedWork() {
  {
    absl::MutexLock lock(&mutex_);
    broken_off_ = true;
  }
  thread_.join();
}

void SlicedWork::Begin(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  work_ = std::move(work);
  thrown_ = nullptr;
  turn_ = Turn::kCaller;
}

bool SlicedWork::ended() const {
  absl::MutexLock lock(&mutex_);
  return turn_ == Turn::kEnded;
}

bool SlicedWork::Run(absl::Duration slice) {
  absl::MutexLock lock(&mutex_);
  if (turn_ != Turn::kEnded) {
    begun_ = clock_.Now();
    until_ = begun_ + slice;
    turn_ = Turn::kWork;
    const auto passed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return turn_ != Turn::kWork;
    };
    mutex_.Await(absl::Condition(&passed));
  }
  if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  return turn_ == Turn::kEnded;
}

absl::Duration SlicedWork::spent() const {
  absl::MutexLock lock(&mutex_);
  return spent_ +
         (turn_ == Turn::kWork ? clock_.Now() - begun_ : absl::ZeroDuration());
}

void SlicedWork::Loop() {
  AwaitTurn();
  std::function<void()> work;
  {
    absl::MutexLock lock(&mutex_);
    work = std::exchange(work_, nullptr);
  }
  std::exception_ptr thrown;
  try {
    const OnPausePoint pausing([this] { Pause(); });
    work();
  } catch (const BrokenOff&) {
    throw;
  } catch (...) {
    thrown = std::current_exception();
  }
  absl::MutexLock lock(&mutex_);
  thrown_ = thrown;
  PassTo(Turn::kEnded);
}

void SlicedWork::AwaitTurn() {
  absl::MutexLock lock(&mutex_);
  const auto may_go_on = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return turn_ == Turn::kWork || broken_off_;
  };
  mutex_.Await(absl::Condition(&may_go_on));
  if (broken_off_) throw BrokenOff();
}

void SlicedWork::Pause() {
  {
    absl::MutexLock lock(&mutex_);
    if (clock_.Now() < until_) return;
    PassTo(Turn::kCaller);
  }
  AwaitTurn();
}

void SlicedWork::PassTo(Turn turn) {
  if (turn_ == Turn::kWork) spent_ += clock_.Now() - begun_;
  turn_ = turn;
}

}  // namespace genzo
