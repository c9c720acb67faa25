#ifndef GENZO_WORKER_THREADS_STALLS_H_
#define GENZO_WORKER_THREADS_STALLS_H_

#include <chrono>

namespace genzo {

// Tells a thread when it had better do its teams' work alone: when it mostly
// waits for helpers that have begun and lost their core to somebody else. It
// then tries again with them now and then. No clock of its own; used by one
// thread. With two members, and gains of 1.5 from the second core:
//   waits 1 ms of every 10   together: 1.35 times as fast as alone
//   waits 5 ms of every 10   alone for a while: together is 0.75 times as fast
class Stalls {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  // Whether to work alone at `now`.
  bool Alone(Time now) const { return now < alone_until_; }

  // A team of `members` worked together from `begin` to `end`, the last
  // `waited` of it without any work left for the thread that brought it.
  void Worked(int members, Time begin, Time end, Duration waited);

 private:
  Duration worked_{0};  // in this window
  Duration waited_{0};  // of that
  Time alone_until_{};
};

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_STALLS_H_
