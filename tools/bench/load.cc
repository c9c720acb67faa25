#include "tools/bench/load.h"

#include <iterator>
#include <utility>

namespace genzo {

void LoadResult::Append(LoadResult other) {
  std::move(other.measurements.begin(), other.measurements.end(),
            std::back_inserter(measurements));
  window += other.window;
  unsent += other.unsent;
  server_gone = server_gone || other.server_gone;
}

LoadResult Load::RunOpen(std::vector<TimedCall> calls) {
  Begin();
  for (TimedCall& call : calls) {
    const absl::Time due = begin_ + call.arrival;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&result_.server_gone),
                              due - clock_.Now());
      if (result_.server_gone) {
        result_.unsent = static_cast<int>(calls.size()) - sent_;
        break;
      }
      ++sent_;
      ++open_;
    }
    Send(std::move(call.plan), due);
  }
  return Drain();
}

LoadResult Load::RunClosed(ClosedLoop loop) {
  loop_ = std::move(loop);
  Begin();
  for (int i = 0; i < loop_.clients; ++i) {
    CallPlan plan;
    {
      absl::MutexLock lock(&mutex_);
      if (HorizonIsReached()) break;
      plan = loop_.plan(sent_++);
      ++open_;
    }
    Send(std::move(plan), clock_.Now());
  }
  return Drain();
}

void Load::Begin() {
  begin_ = clock_.Now();
  absl::MutexLock lock(&mutex_);
  last_heard_ = begin_;
}

void Load::Send(CallPlan plan, absl::Time arrival) {
  const auto call =
      std::make_shared<GenerateCall>(std::move(plan), arrival, clock_, *this);
  {
    absl::MutexLock lock(&mutex_);
    calls_[call.get()] = call;
    last_heard_ = clock_.Now();
  }
  call->Start(stub_);
}

void Load::OnEvent(const GenerateCall& call, const v1::JobEvent& event) {
  absl::MutexLock lock(&mutex_);
  last_heard_ = clock_.Now();
}

void Load::OnEnd(const GenerateCall& call, Measurement measurement) {
  CallPlan next;
  {
    absl::MutexLock lock(&mutex_);
    calls_.erase(&call);
    last_heard_ = clock_.Now();
    measurement.hung = hanging_;
    result_.server_gone = result_.server_gone || measurement.server_gone;
    const bool goes_on = GoesOn(measurement);
    result_.measurements.push_back(std::move(measurement));
    progress_.Update(static_cast<int>(result_.measurements.size()),
                     static_cast<int>(calls_.size()));
    if (!goes_on) {
      // The last one out: Drain() may end this object from here on.
      --open_;
      return;
    }
    next = loop_.plan(sent_++);
  }
  Send(std::move(next), clock_.Now());
}

bool Load::GoesOn(const Measurement& measurement) const {
  return loop_.plan != nullptr && !hanging_ && !result_.server_gone &&
         (measurement.succeeded() || measurement.cancelled) &&
         !HorizonIsReached();
}

bool Load::HorizonIsReached() const {
  // As many of each client, so that none is missed at the end.
  const int rounds =
      (loop_.horizon.requests + loop_.clients - 1) / loop_.clients;
  return rounds > 0 ? sent_ >= rounds * loop_.clients
                    : clock_.Now() >= begin_ + loop_.horizon.duration;
}

std::vector<std::shared_ptr<GenerateCall>> Load::AwaitEndOrSilence() {
  absl::MutexLock lock(&mutex_);
  while (!mutex_.AwaitWithTimeout(absl::Condition(this, &Load::NoneIsOpen),
                                  last_heard_ + grace_ - clock_.Now())) {
    if (clock_.Now() < last_heard_ + grace_) continue;  // heard meanwhile
    hanging_ = true;
    std::vector<std::shared_ptr<GenerateCall>> silent;
    for (const auto& [_, call] : calls_) silent.push_back(call.lock());
    return silent;
  }
  return {};
}

LoadResult Load::Drain() {
  for (const auto& call : AwaitEndOrSilence()) {
    if (call != nullptr) call->Cancel();
  }
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &Load::NoneIsOpen));
  result_.window = clock_.Now() - begin_;
  progress_.End(static_cast<int>(result_.measurements.size()));
  return std::move(result_);
}

}  // namespace genzo
