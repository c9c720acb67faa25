#include "tools/bench/slot_release.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"

namespace genzo {
namespace {

constexpr char kRunning[] = "genzo_jobs_running";

// Calls that are painted at the same time.
class LongCalls : public CallListener {
 public:
  LongCalls(v1::ImageGeneration::Stub& stub, const std::vector<CallPlan>& plans,
            const Clock& clock) {
    for (const CallPlan& plan : plans) {
      calls_.push_back(
          std::make_shared<GenerateCall>(plan, clock.Now(), clock, *this));
    }
    for (const auto& call : calls_) call->Start(stub);
  }

  // Cancels what is left and waits for its end.
  ~LongCalls() override {
    for (const auto& call : calls_) call->Cancel();
    absl::MutexLock lock(&mutex_);
    const auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return ended_ == static_cast<int>(calls_.size());
    };
    mutex_.Await(absl::Condition(&all_ended));
  }

  // False if one ends or time is up before.
  bool AwaitPainting(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    const auto decided = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return ended_ > 0 || painting_.size() == calls_.size();
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&decided), timeout) &&
           ended_ == 0;
  }

  GenerateCall& operator[](size_t i) { return *calls_[i]; }

 private:
  void OnEvent(const GenerateCall& call, const v1::JobEvent& event) override {
    if (!event.has_progress()) return;
    absl::MutexLock lock(&mutex_);
    painting_.insert(&call);
  }

  void OnEnd(const GenerateCall& call, Measurement measurement) override {
    absl::MutexLock lock(&mutex_);
    ++ended_;
  }

  std::vector<std::shared_ptr<GenerateCall>> calls_;  // set at construction
  absl::Mutex mutex_;
  absl::flat_hash_set<const GenerateCall*> painting_ ABSL_GUARDED_BY(mutex_);
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<double> Running(const MetricsReader& read_metrics) {
  const auto page = read_metrics();
  if (!page.ok()) return page.status();
  return MetricSum(*page, kRunning);
}

// Reads the page until fewer than `before` jobs run; each reading waits for the
// server's answer.
absl::StatusOr<double> AwaitFewer(double before,
                                  const MetricsReader& read_metrics,
                                  absl::Duration timeout, const Clock& clock) {
  const absl::Time begin = clock.Now();
  while (clock.Now() < begin + timeout) {
    const auto now = Running(read_metrics);
    if (!now.ok()) return now.status();
    if (*now < before) return absl::ToDoubleSeconds(clock.Now() - begin);
  }
  return absl::DeadlineExceededError("a cancelled job kept its place");
}

}  // namespace

absl::StatusOr<std::vector<double>> MeasureSlotReleases(
    v1::ImageGeneration::Stub& stub, const std::vector<CallPlan>& plans,
    const MetricsReader& read_metrics, absl::Duration timeout,
    const Clock& clock) {
  LongCalls calls(stub, plans, clock);
  if (!calls.AwaitPainting(timeout)) {
    return absl::UnavailableError("the server did not paint all at once");
  }
  std::vector<double> seconds;
  for (size_t i = 0; i < plans.size(); ++i) {
    const auto before = Running(read_metrics);
    if (!before.ok()) return before.status();
    calls[i].Cancel();
    const auto waited = AwaitFewer(*before, read_metrics, timeout, clock);
    if (!waited.ok()) return waited.status();
    seconds.push_back(*waited);
  }
  return seconds;
}

}  // namespace genzo
