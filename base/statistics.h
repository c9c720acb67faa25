#ifndef GENZO_BASE_STATISTICS_H_
#define GENZO_BASE_STATISTICS_H_

#include <optional>
#include <vector>

#include "absl/types/span.h"

// Pure functions over samples.

namespace genzo {

// The `q` quantile, 0 to 1, interpolated linearly between the closest ranks;
// nullopt of no values.
std::optional<double> Quantile(std::vector<double> values, double q);

// Where a sample lies.
struct Spread {
  int count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
};

// nullopt of no values.
std::optional<Spread> SpreadOf(std::vector<double> values);

// Jain's fairness index, (sum x)^2 / (n sum x^2): 1 if all shares are equal,
// 1/n if one has everything. nullopt if there are no shares or all are 0.
std::optional<double> JainIndex(absl::Span<const double> shares);

}  // namespace genzo

#endif  // GENZO_BASE_STATISTICS_H_
