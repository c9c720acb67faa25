#ifndef GENZO_TESTS_QUEUE_LOAD_FIXTURE_H_
#define GENZO_TESTS_QUEUE_LOAD_FIXTURE_H_

#include "queue/pool_load.h"
#include "tests/testing/matchers.h"

namespace genzo {

inline constexpr absl::Duration kMs = absl::Milliseconds(1);

// One device that knows model "m": an evaluation of 2 rows takes 10 ms, one of
// 4 rows, the most, 16 ms, a picture 7 ms more.
class LoadFixture : public ::testing::Test {
 protected:
  LoadFixture() { load_.speeds().SetSpeed(0, "m", Speed()); }

  static ModelSpeed Speed() {
    return {.costs = StepCosts({{2, 10 * kMs}, {4, 16 * kMs}}),
            .own_pixels = 100,
            .largest_batch = 4,
            .decode = 7 * kMs};
  }

  static JobDemand Demand(int steps, int images = 1) {
    return {.model = "m",
            .tenant = "",
            .pixels = 100,
            .rows = 2,
            .images = images,
            .steps = steps,
            .accepted = absl::UnixEpoch()};
  }

  PoolLoad load_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_QUEUE_LOAD_FIXTURE_H_
