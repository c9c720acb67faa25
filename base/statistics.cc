#include "base/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace genzo {
namespace {

double QuantileOfSorted(const std::vector<double>& sorted, double q) {
  const double rank = q * (sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], rank - below);
}

}  // namespace

std::optional<double> Quantile(std::vector<double> values, double q) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  return QuantileOfSorted(values, std::clamp(q, 0.0, 1.0));
}

std::optional<Spread> SpreadOf(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return Spread{.count = static_cast<int>(values.size()),
                .mean = sum / values.size(),
                .p50 = QuantileOfSorted(values, 0.5),
                .p90 = QuantileOfSorted(values, 0.9),
                .p99 = QuantileOfSorted(values, 0.99)};
}

std::optional<double> JainIndex(absl::Span<const double> shares) {
  double sum = 0;
  double sum_of_squares = 0;
  for (double share : shares) {
    sum += share;
    sum_of_squares += share * share;
  }
  if (sum_of_squares == 0) return std::nullopt;
  return sum * sum / (shares.size() * sum_of_squares);
}

}  // namespace genzo
