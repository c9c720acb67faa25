#include "worker/threads/team.h"

#include <sched.h>

#include <algorithm>
#include <climits>
#include <iterator>
#include <utility>

#include "worker/threads/futex.h"
#include "worker/threads/spin.h"

namespace genzo {
namespace {

constexpr uint32_t kAsleep = uint32_t{1} << 31;

// For those who wait for others of their team: members mostly end together.
constexpr std::chrono::microseconds kSpin{100};

// Where a thread is.
struct Place {
  Team* team = nullptr;
  int member = 0;
  size_t loops_left = 0;  // of its team's loops
};
thread_local Place place;

// What a thread outside of all teams works in.
Team& OwnTeam() {
  thread_local Team own(nullptr, nullptr, 1);
  return own;
}

}  // namespace

// --- loops -------------------------------------------------------------------

void SharedLoop::Begin(int64_t begin, int64_t end, int64_t step,
                       int64_t chunk) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(begun_, true)) return;
  next_ = begin;
  end_ = end;
  step_ = step;
  chunk_ = std::max<int64_t>(1, chunk);
}

std::optional<SharedLoop::Part> SharedLoop::Take() {
  const std::lock_guard lock(mutex_);
  if (step_ > 0 ? next_ >= end_ : next_ <= end_) return std::nullopt;
  const int64_t begin = next_;
  next_ += step_ * chunk_;
  const int64_t end = step_ > 0 ? std::min(next_, end_) : std::max(next_, end_);
  return Part{.begin = begin, .end = end, .number = parts_++};
}

bool SharedLoop::First() {
  const std::lock_guard lock(mutex_);
  return !std::exchange(begun_, true);
}

void SharedLoop::AwaitTurn(uint32_t number) {
  const auto come = [&] {
    return turn_.load(std::memory_order_acquire) == number;
  };
  if (SpinUntil(come, kSpin)) return;
  for (;;) {
    const uint32_t turn = turn_.load(std::memory_order_acquire);
    if (turn == number) return;
    FutexWait(turn_, turn);
  }
}

void SharedLoop::PassTurn(uint32_t number) {
  AwaitTurn(number);
  turn_.store(number + 1, std::memory_order_release);
  FutexWake(&turn_, INT_MAX);
}

// --- teams -------------------------------------------------------------------

Team::Team(void (*work)(void*), void* argument, int members)
    : work_(work),
      argument_(argument),
      members_(members),
      at_work_(members > 1 || AtWork()),
      state_(static_cast<uint32_t>(members)) {}

bool Team::AtWork() { return place.team != nullptr && place.team->at_work_; }

Team& Team::Current() {
  return place.team != nullptr ? *place.team : OwnTeam();
}

int Team::CurrentMember() { return place.member; }

void Team::RunMember(int member) {
  const Place outside = place;
  place = {.team = this, .member = member};
  work_(argument_);
  place = outside;
  Done();
}

void Team::Done() {
  const uint32_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
  if (before == (kAsleep | 1)) FutexWake(&state_, 1);
}

void Team::AwaitEnd() {
  const auto ended = [this] {
    return (state_.load(std::memory_order_acquire) & ~kAsleep) == 0;
  };
  // On the core of a helper that is not done, it would keep it waiting.
  const bool shares_a_core =
      sched_getcpu() == helper_core_.load(std::memory_order_relaxed);
  if (shares_a_core ? ended() : SpinUntil(ended, kSpin)) return;
  state_.fetch_or(kAsleep, std::memory_order_acq_rel);
  for (;;) {
    const uint32_t state = state_.load(std::memory_order_acquire);
    if (state == kAsleep) return;
    FutexWait(state_, state);
  }
}

void Team::Barrier() {
  if (members_ == 1) return;
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 ==
      static_cast<uint32_t>(members_)) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    FutexWake(&generation_, INT_MAX);
    return;
  }
  const auto passed = [&] {
    return generation_.load(std::memory_order_acquire) != generation;
  };
  if (SpinUntil(passed, kSpin)) return;
  while (!passed()) FutexWait(generation_, generation);
}

SharedLoop& Team::Loop() {
  const std::lock_guard lock(mutex_);
  while (loops_.size() <= place.loops_left) loops_.emplace_back();
  return *std::next(loops_.begin(), static_cast<int64_t>(place.loops_left));
}

void Team::LeaveLoop() {
  if (members_ > 1) {
    ++place.loops_left;
    return;
  }
  const std::lock_guard lock(mutex_);
  loops_.clear();
}

}  // namespace genzo
