#ifndef GENZO_TOOLS_BENCH_LOAD_PLAN_H_
#define GENZO_TOOLS_BENCH_LOAD_PLAN_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

// When requests arrive in an open loop: ascending times from the load's start.
// Pure; the same seed gives the same times. Rates are means over a long time
// and must be positive.

namespace genzo {

// How long a load lasts.
struct Horizon {
  absl::Duration duration = {};
  int requests = 0;  // if over 0 so many, however long that takes
};

// Exponential gaps.
std::vector<absl::Duration> PoissonArrivals(double per_second,
                                            const Horizon& horizon,
                                            uint64_t seed);

// Gamma-distributed gaps whose standard deviation is `cv` times their mean:
// clumps with long pauses where `cv` is over 1. `cv` is positive.
std::vector<absl::Duration> GammaArrivals(double per_second, double cv,
                                          const Horizon& horizon,
                                          uint64_t seed);

// A rate that switches.
struct OnOff {
  double factor = 8;       // how many times the "off" rate "on" is
  double on_share = 0.25;  // of a cycle, which begins with it
  absl::Duration cycle = absl::Seconds(10);
};

// Exponential gaps at the rate of the moment.
std::vector<absl::Duration> OnOffArrivals(double per_second,
                                          const OnOff& on_off,
                                          const Horizon& horizon,
                                          uint64_t seed);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_LOAD_PLAN_H_
