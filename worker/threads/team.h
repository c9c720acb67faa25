#ifndef GENZO_WORKER_THREADS_TEAM_H_
#define GENZO_WORKER_THREADS_TEAM_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>

namespace genzo {

// Iterations that a team's members take part by part, each whoever is free.
class SharedLoop {
 public:
  struct Part {
    int64_t begin;
    int64_t end;      // the first that is not in it
    uint32_t number;  // in the order of the loop, from 0
  };

  // Iterations begin, begin + step, ... up to, not including, `end`, `chunk` of
  // them a part. All members call it; the first call counts.
  void Begin(int64_t begin, int64_t end, int64_t step, int64_t chunk);
  // The next part; nullopt once there is none.
  std::optional<Part> Take();
  // Whether the caller is the first to ask.
  bool First();

  // For the ordered piece of a part: waits until all parts before have had
  // theirs, and lets the next one go.
  void AwaitTurn(uint32_t number);
  void PassTurn(uint32_t number);

 private:
  std::mutex mutex_;
  // The rest but turn_ under mutex_.
  bool begun_ = false;
  int64_t next_ = 0;
  int64_t end_ = 0;
  int64_t step_ = 1;
  int64_t chunk_ = 1;
  uint32_t parts_ = 0;
  std::atomic<uint32_t> turn_{0};
};

// A team at work: `members` calls of one function, each told which it is. Calls
// need not run at once: whoever is free takes the next, so that nobody waits
// for a thread that has no core. At a barrier all of them meet, and there they
// do run at once (see TeamPool). Lives as long as the work.
class Team {
 public:
  Team(void (*work)(void*), void* argument, int members);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int members() const { return members_; }

  // The calling thread's place in a team; a team of one outside of all.
  static Team& Current();
  static int CurrentMember();
  // Whether the calling thread works for a team of several, be it in a team of
  // one that a member of it brought.
  static bool AtWork();

  // Does one member's work on the calling thread.
  void RunMember(int member);

  // Returns when all members are done: after a short spin, asleep. Called by
  // the thread that brought the work.
  void AwaitEnd();

  // Returns when all members have called it.
  void Barrier();

  // The loop that the calling member has come to, and going on from it: members
  // come to the loops of their work in the same order.
  SharedLoop& Loop();
  void LeaveLoop();

 private:
  friend class TeamPool;

  void Done();

  void (*const work_)(void*);
  void* const argument_;
  const int members_;
  const bool at_work_;  // of several, or inside of one that is
  // Members that are not done, and kAsleep while somebody waits for them. One
  // word, because the team is gone once it is zero.
  std::atomic<uint32_t> state_;
  std::atomic<uint32_t> arrived_{0};     // at the barrier
  std::atomic<uint32_t> generation_{0};  // barriers passed
  std::mutex mutex_;
  std::list<SharedLoop> loops_;       // guarded by mutex_
  std::atomic<int> helper_core_{-1};  // where a helper began last
  // The rest is TeamPool's, under its lock.
  int claimed_ = 0;
  Team* next_ = nullptr;
};

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_TEAM_H_
