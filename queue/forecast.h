#ifndef GENZO_QUEUE_FORECAST_H_
#define GENZO_QUEUE_FORECAST_H_

#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "queue/step_costs.h"

namespace genzo {

// What a forecast knows of one shape of latents on one device.
struct ForecastShape {
  StepCosts costs;
  int row_cap = 2;
};

// One image's remaining work.
struct ForecastItem {
  int shape = 0;  // index into the shapes
  int rows = 2;
  double load = 1;  // as JobDemand's
  int steps_left = 0;
  absl::Duration joins = absl::ZeroDuration();  // at the earliest, from now
  bool expected = false;  // may come, and matters only as company
  bool yields = false;    // of a tenant that owes: see Forecast()
};

// By how much those who owe may slow down evaluations of those who do not.
inline constexpr double kDebtorSlowdown = 1.25;

// Time until each item's last step on one device that works as the batcher
// does: at every evaluation the items of a shape go in the order given, as many
// as the shape's cap lets share it, and shapes with work are charged equally,
// by what their items would cost alone. While there are items that do not
// yield, those that do only join these, as far as kDebtorSlowdown lets them.
// What else tenants owe each other is left out.
// Looks no further than the last item that is not merely expected. Pure.
std::vector<absl::Duration> Forecast(absl::Span<const ForecastItem> items,
                                     absl::Span<const ForecastShape> shapes);

}  // namespace genzo

#endif  // GENZO_QUEUE_FORECAST_H_
