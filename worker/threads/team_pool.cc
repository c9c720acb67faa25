#include "worker/threads/team_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <system_error>
#include <thread>
#include <utility>

#include "worker/threads/available_cores.h"
#include "worker/threads/futex.h"
#include "worker/threads/spin.h"

namespace genzo {
namespace {

// Longer than nearly all gaps between the loops of an evaluation; waking a
// thread on a core that has gone to sleep takes tens of microseconds.
constexpr std::chrono::microseconds kSpin{200};
// How often helpers that nobody calls look for work.
constexpr timespec kLook = {.tv_sec = 0, .tv_nsec = 25'000'000};

}  // namespace

TeamPool& TeamPool::Get() {
  static TeamPool* pool = [] {
    // The helpers do not come along into a child.
    pthread_atfork(nullptr, nullptr, [] { pool = new TeamPool(); });
    return new TeamPool();
  }();
  return *pool;
}

void TeamPool::Run(void (*work)(void*), void* argument, int members) {
  if (members <= 1 || Team::AtWork()) {
    Team(work, argument, 1).RunMember(0);
    return;
  }
  const int helpers = members - 1;
  wanted_.fetch_add(helpers);
  Team team(work, argument, 1 + Grow(helpers));
  if (team.members() > 1) {
    RunTogether(team);
  } else {
    team.RunMember(0);
  }
  wanted_.fetch_sub(helpers);
}

void TeamPool::RunTogether(Team& team) {
  thread_local Caller caller;
  const auto begin = std::chrono::steady_clock::now();
  const bool alone = caller.GoAlone(caller.stalls.Alone(begin));
  {
    const std::lock_guard lock(mutex_);
    team.claimed_ = 1;
    (oldest_ == nullptr ? oldest_ : newest_->next_) = &team;
    newest_ = &team;
  }
  if (!alone) CallHelpers(team.members() - 1);
  team.RunMember(0);
  for (Claim own = Take(&team); own.team != nullptr; own = Take(&team)) {
    team.RunMember(own.member);
  }
  const auto done = std::chrono::steady_clock::now();
  team.AwaitEnd();
  if (alone) return;
  const auto end = std::chrono::steady_clock::now();
  caller.stalls.Worked(team.members(), begin, end, end - done);
}

void TeamPool::CallHelpers(int helpers) {
  caller_core_.store(sched_getcpu());
  teams_.fetch_add(1);
  const int asleep = asleep_.load();
  if (asleep > 0) FutexWake(&teams_, std::min(asleep, helpers));
}

TeamPool::Caller::~Caller() { GoAlone(false); }

bool TeamPool::Caller::GoAlone(bool alone) {
  if (std::exchange(is_alone, alone) == alone) return alone;
  TeamPool& pool = TeamPool::Get();
  if (alone) {
    pool.alone_.fetch_add(1);
    pool.CallHelpers(INT_MAX);  // who sleeps is to sleep with a limit
  } else {
    pool.alone_.fetch_sub(1);
  }
  return alone;
}

TeamPool::Claim TeamPool::Take(Team* only) {
  const std::lock_guard lock(mutex_);
  Team* before = nullptr;
  Team* team = oldest_;
  if (only != nullptr) {
    if (only->claimed_ == only->members_) return {};
    for (; team != only; team = team->next_) before = team;
  }
  if (team == nullptr) return {};
  const int member = team->claimed_++;
  if (team->claimed_ == team->members_) {
    (before == nullptr ? oldest_ : before->next_) = team->next_;
    if (newest_ == team) newest_ = before;
  }
  return {.team = team, .member = member};
}

int TeamPool::Grow(int helpers) {
  const int all =
      std::max(helpers, std::min(wanted_.load(), AvailableCores() - 1));
  if (helpers_.load(std::memory_order_acquire) >= all) return helpers;
  const std::lock_guard lock(growing_);
  while (helpers_ < all) {
    try {
      std::thread([this] { Help(); }).detach();
    } catch (const std::system_error&) {
      break;
    }
    ++helpers_;
  }
  return std::min<int>(helpers, helpers_);
}

void TeamPool::Help() {
  for (;;) {
    const uint32_t seen = teams_.load();
    if (const Claim claim = Take(nullptr); claim.team != nullptr) {
      claim.team->helper_core_.store(sched_getcpu(), std::memory_order_relaxed);
      claim.team->RunMember(claim.member);
      continue;
    }
    const auto news = [&] {
      return teams_.load(std::memory_order_acquire) != seen;
    };
    // On the core of the thread that brings the work, it would keep it waiting.
    const bool shares_a_core = sched_getcpu() == caller_core_.load();
    if (!shares_a_core && SpinUntil(news, kSpin)) continue;
    asleep_.fetch_add(1);
    FutexWait(teams_, seen, alone_.load() > 0 ? &kLook : nullptr);
    asleep_.fetch_sub(1);
  }
}

}  // namespace genzo
