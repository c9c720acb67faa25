#ifndef GENZO_BASE_CLOCK_H_
#define GENZO_BASE_CLOCK_H_

#include <functional>
#include <utility>

#include "absl/time/time.h"

namespace genzo {

// Where the program's parts get the time from, so that tests can set it.
// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // For durations within this process: never runs backwards, and does not
  // follow when the machine's date is set.
  virtual absl::Time Now() const = 0;

  // The machine's date, which may jump: for timestamps that other processes
  // read or wrote.
  virtual absl::Time Date() const { return Now(); }

  // When Now() will be, or was, what Date() calls `date`, as far as is known by
  // now. Infinite times stay.
  absl::Time FromDate(absl::Time date) const { return Now() + (date - Date()); }

  // The date at `time`, which is of Now(), as far as is known by now.
  absl::Time ToDate(absl::Time time) const { return Date() + (time - Now()); }

  // The machine's clock. Lives as long as the process.
  static const Clock& Real();
};

// What a machine tells: its date, which may be set, and time since some moment,
// which only goes on. Thread-safe if both are.
class MachineClock : public Clock {
 public:
  MachineClock(std::function<absl::Time()> date,
               std::function<absl::Duration()> steady)
      : date_(std::move(date)), steady_(std::move(steady)) {}

  absl::Time Now() const override {
    return start_ + (steady_() - steady_start_);
  }
  absl::Time Date() const override { return date_(); }

 private:
  const std::function<absl::Time()> date_;
  const std::function<absl::Duration()> steady_;
  // As it was made.
  const absl::Time start_ = date_();
  const absl::Duration steady_start_ = steady_();
};

}  // namespace genzo

#endif  // GENZO_BASE_CLOCK_H_
