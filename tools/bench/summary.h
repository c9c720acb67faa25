#ifndef GENZO_TOOLS_BENCH_SUMMARY_H_
#define GENZO_TOOLS_BENCH_SUMMARY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/statistics.h"
#include "tools/bench/load.h"

namespace genzo {

// What a request of each kind of a mix is held against.
struct SoloTimes {
  std::vector<absl::Duration> by_kind;  // median time of one alone
  // A picture is in time within so many times its kind's.
  double deadline_factor = 5;

  absl::Duration Mean() const;
  absl::Duration Limit(int kind) const {
    return by_kind[kind] * deadline_factor;
  }
};

// The figures of a load. Times in seconds, of calls that brought their picture;
// absent where no call had one.
struct Summary {
  int calls = 0;
  int succeeded = 0;
  int unsent = 0;
  double window_seconds = 0;
  double pictures_per_second = 0;
  double goodput_per_second = 0;  // pictures in time
  std::optional<Spread> total;
  std::optional<Spread> first_step;
  std::optional<Spread> first_preview;
  std::optional<Spread> slowdown;  // total / solo time of the same kind
  // |predicted / actual - 1| of the first prediction.
  std::optional<Spread> queued_prediction_error;
  std::optional<Spread> step_prediction_error;
  std::map<uint32_t, int> batch_rows;  // steps by rows of their evaluation
  std::map<std::string, int> tenant_pictures;
  std::optional<double> jain;  // over tenant_pictures; absent of one tenant
  std::map<std::string, int> outcomes;
  int lost = 0;  // ended without picture and without error
  int hung = 0;
};

// Pure. Every kind in `result` must have a solo time.
Summary Summarize(const LoadResult& result, const SoloTimes& solo);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_SUMMARY_H_
