#include "worker/threads/team_pool.h"

#include <sched.h>

#include <algorithm>
#include <system_error>
#include <thread>

#include "worker/threads/available_cores.h"
#include "worker/threads/futex.h"
#include "worker/threads/spin.h"

namespace genzo {
namespace {

// Longer than nearly all gaps between the loops of an evaluation; waking a
// thread on a core that has gone to sleep takes tens of microseconds.
constexpr std::chrono::microseconds kSpin{200};

}  // namespace

TeamPool& TeamPool::Get() {
  static TeamPool& pool = *new TeamPool();
  return pool;
}

void TeamPool::Run(void (*work)(void*), void* argument, int members) {
  if (members <= 1 || Team::Current().members() > 1) {
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
  {
    const std::lock_guard lock(mutex_);
    team.claimed_ = 1;
    (oldest_ == nullptr ? oldest_ : newest_->next_) = &team;
    newest_ = &team;
  }
  caller_core_.store(sched_getcpu());
  teams_.fetch_add(1);
  const int asleep = asleep_.load();
  if (asleep > 0) FutexWake(&teams_, std::min(asleep, team.members() - 1));
  team.RunMember(0);
  for (Claim own = Take(&team); own.team != nullptr; own = Take(&team)) {
    team.RunMember(own.member);
  }
  team.AwaitEnd();
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
    FutexWait(teams_, seen);
    asleep_.fetch_sub(1);
  }
}

}  // namespace genzo
