#include "server/signal_waiter.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace genzo {

sigset_t BlockSignals() {
  for (int ignored : {SIGUSR2, SIGALRM, SIGPIPE}) signal(ignored, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int waited : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    sigaddset(&signals, waited);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void SignalWaiter::Done() {
  done_ = true;
  pthread_kill(main_thread_, SIGUSR1);
}

SignalWaiter::Event SignalWaiter::Wait(absl::Time until) const {
  while (!done_) {
    const timespec timeout = absl::ToTimespec(
        std::max(absl::ZeroDuration(), until - Clock::Real().Now()));
    const bool forever = until == absl::InfiniteFuture();
    const int signal =
        sigtimedwait(&signals_, nullptr, forever ? nullptr : &timeout);
    if (signal == SIGHUP) return Event::kReload;
    // SIGUSR1 may come from outside: then the wait goes on.
    if (signal > 0 && signal != SIGUSR1) return Event::kEnd;
    if (signal < 0 && errno == EAGAIN) return Event::kTime;
  }
  return Event::kDone;
}

}  // namespace genzo
