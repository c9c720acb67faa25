#ifndef GENZO_WORKER_RESIDENCY_MEMORY_CAPS_H_
#define GENZO_WORKER_RESIDENCY_MEMORY_CAPS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace genzo {

// How many rows an evaluation may have after one ran out of memory, by model
// and size. Half as many at first; as memory comes back for reasons that nobody
// tells, twice as many again after a while, and so on. The while is longer
// every time that it was too soon. Values and times come from the caller; for
// one thread.
//
// Example: 16 rows fail at 0:00: 8 until 0:01, 16 until they fail again at
// 0:01: 8 until 0:03.
class MemoryCaps {
 public:
  static constexpr absl::Duration kFirstWait = absl::Minutes(1);
  static constexpr absl::Duration kLongestWait = absl::Minutes(32);

  // An evaluation of `rows` rows did not fit. Returns how many may be tried.
  int OutOfMemory(const std::string& model, int64_t pixels, int rows,
                  absl::Time now);
  // `cap`, or less.
  int Cap(const std::string& model, int64_t pixels, int cap,
          absl::Time now) const;
  // A model has left: there is more room for all, and if it comes back, it is
  // as if it never was here.
  void Clear() { limits_.clear(); }

 private:
  struct Limit {
    int rows = 0;
    absl::Time since;
    absl::Duration wait;
  };

  std::map<std::pair<std::string, int64_t>, Limit> limits_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MEMORY_CAPS_H_
