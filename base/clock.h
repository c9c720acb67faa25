#ifndef GENZO_BASE_CLOCK_H_
#define GENZO_BASE_CLOCK_H_

#include "absl/time/time.h"

namespace genzo {

// Where the program's parts get the time from, so that tests can set it.
// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Never runs backwards within one process.
  virtual absl::Time Now() const = 0;

  // The machine's clock. Lives as long as the process.
  static const Clock& Real();
};

}  // namespace genzo

#endif  // GENZO_BASE_CLOCK_H_
