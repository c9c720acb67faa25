#ifndef GENZO_SERVER_SIGNAL_WAITER_H_
#define GENZO_SERVER_SIGNAL_WAITER_H_

#include <pthread.h>
#include <signal.h>

#include <atomic>

#include "absl/time/time.h"

namespace genzo {

// Signals that end the server, the one that has it read its configuration
// again, and the one by which the engine's thread says that it is done. Blocked
// in the calling thread and those that it starts; waited for by the main
// thread. Others that would end the process without draining are ignored.
sigset_t BlockSignals();

// The signals that the thread that makes it waits for, one of which the pool
// sends when it is done.
class SignalWaiter {
 public:
  explicit SignalWaiter(const sigset_t& signals) : signals_(signals) {}

  // The pool's threads have ended. Any thread.
  void Done();

  // Waits until the pool is done, or somebody wants the server to end or to
  // read its configuration again.
  enum class Event { kDone, kEnd, kReload, kTime };
  Event Wait(absl::Time until) const;

 private:
  const sigset_t signals_;
  const pthread_t main_thread_ = pthread_self();
  std::atomic<bool> done_{false};
};

}  // namespace genzo

#endif  // GENZO_SERVER_SIGNAL_WAITER_H_
