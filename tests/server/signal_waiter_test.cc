#include "server/signal_waiter.h"

#include <map>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using Event = SignalWaiter::Event;

class SignalWaiterTest : public ::testing::Test {
 protected:
  // What it leaves behind would be met by other tests.
  SignalWaiterTest() {
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked_);
    for (auto& [signal, action] : actions_) sigaction(signal, nullptr, &action);
  }
  ~SignalWaiterTest() override {
    pthread_sigmask(SIG_SETMASK, &blocked_, nullptr);
    for (const auto& [signal, action] : actions_) {
      sigaction(signal, &action, nullptr);
    }
  }

 private:
  sigset_t blocked_;
  std::map<int, struct sigaction> actions_ = {
      {SIGUSR2, {}}, {SIGALRM, {}}, {SIGPIPE, {}}};
};

TEST_F(SignalWaiterTest, TellsSignalsApart) {
  const SignalWaiter waiter(BlockSignals());
  for (const auto& [signal, event] : {std::pair(SIGHUP, Event::kReload),
                                      {SIGINT, Event::kEnd},
                                      {SIGTERM, Event::kEnd}}) {
    pthread_kill(pthread_self(), signal);
    EXPECT_EQ(waiter.Wait(absl::InfiniteFuture()), event);
  }
}

TEST_F(SignalWaiterTest, GivesUpWhenItIsTime) {
  const SignalWaiter waiter(BlockSignals());
  EXPECT_EQ(waiter.Wait(Clock::Real().Now()), Event::kTime);
  EXPECT_EQ(waiter.Wait(absl::InfinitePast()), Event::kTime);
}

TEST_F(SignalWaiterTest, HearsThatThePoolIsDone) {
  SignalWaiter waiter(BlockSignals());
  std::thread pool([&] { waiter.Done(); });
  EXPECT_EQ(waiter.Wait(absl::InfiniteFuture()), Event::kDone);
  pool.join();
  EXPECT_EQ(waiter.Wait(absl::InfiniteFuture()), Event::kDone);
  sigset_t sent;  // if it was done before anybody waited
  sigemptyset(&sent);
  sigaddset(&sent, SIGUSR1);
  const timespec now = {};
  sigtimedwait(&sent, nullptr, &now);
}

TEST_F(SignalWaiterTest, TheSignalOfThePoolAloneEndsNothing) {
  const SignalWaiter waiter(BlockSignals());
  pthread_kill(pthread_self(), SIGUSR1);
  EXPECT_EQ(waiter.Wait(absl::InfinitePast()), Event::kTime);
  sigset_t left;
  sigpending(&left);
  EXPECT_FALSE(sigismember(&left, SIGUSR1)) << "it was taken";
}

}  // namespace
}  // namespace genzo
