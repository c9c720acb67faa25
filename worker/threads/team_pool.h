#ifndef GENZO_WORKER_THREADS_TEAM_POOL_H_
#define GENZO_WORKER_THREADS_TEAM_POOL_H_

#include <atomic>
#include <cstdint>
#include <mutex>

#include "worker/threads/stalls.h"
#include "worker/threads/team.h"

namespace genzo {

// The threads that help with parallel loops: one set for the whole process, our
// own and LibTorch's loops alike. It takes the place of GNU's OpenMP threads,
// which spin at barriers while the thread that they wait for has no core: with
// more runnable threads than cores that made steps up to 160 times as long.
//
// Helpers take members of the team that came first, then of the next; who
// brought a team works on it too and takes what no helper has taken. With two
// members and a helper that has no core
//   caller  member 0, then member 1
//   helper  (wakes too late: nothing is left)
// so that a lost core costs its share of the work and no more. A helper that
// loses its core in the middle of a member has to be waited for; a caller that
// mostly waits goes on without calling helpers for a while (see Stalls), and
// these look after it now and then, as its members may meet at a barrier.
// Helpers spin for a moment when there is nothing to do, then sleep.
//
// Members that wait for each other at barriers never wait for ever: a helper
// only ever takes of the oldest team that has members left, so all helpers are
// in teams that are complete, or in that one.
class TeamPool {
 public:
  // The process's. Never destroyed: its threads outlive main(). A fork's child
  // has one of its own.
  static TeamPool& Get();

  // Calls `work(argument)` `members` times, each as another member of one team
  // (fewer where the system gives no more threads), and returns when all have
  // returned. Any thread may call it; inside a team it runs as a team of one.
  // `work` must not throw.
  void Run(void (*work)(void*), void* argument, int members);

 private:
  TeamPool() = default;

  // What a thread that brings work remembers.
  struct Caller {
    ~Caller();
    // Says so to the pool, if it is new. Returns `alone`.
    bool GoAlone(bool alone);

    Stalls stalls;
    bool is_alone = false;
  };

  void RunTogether(Team& team);
  void CallHelpers(int helpers);
  // Of the oldest team that has one, or of `only`; -1: none.
  struct Claim {
    Team* team = nullptr;
    int member = 0;
  };
  Claim Take(Team* only);
  // Sees to it that `helpers` can work on a team and that all teams have theirs
  // as far as there are cores. How many there are, `helpers` at most.
  int Grow(int helpers);
  void Help();

  std::mutex mutex_;
  Team* oldest_ = nullptr;  // with members left, a list; guarded by mutex_
  Team* newest_ = nullptr;  // guarded by mutex_
  std::mutex growing_;
  std::atomic<int> helpers_{0};
  std::atomic<int> wanted_{0};      // by all teams together
  std::atomic<uint32_t> teams_{0};  // that ever came; helpers sleep on it
  std::atomic<int> asleep_{0};
  std::atomic<int> alone_{0};         // threads that do not call helpers
  std::atomic<int> caller_core_{-1};  // where the newest team was brought
};

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_TEAM_POOL_H_
