#include "worker/media/resampling_window.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace genzo {
namespace {

constexpr double kBicubicA = -0.5;

double Sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double Support(ResamplingFilter filter) {
  switch (filter) {
    case ResamplingFilter::kBilinear:
      return 1;
    case ResamplingFilter::kBicubic:
      return 2;
    case ResamplingFilter::kLanczos:
      return 3;
  }
  return 0;
}

double Weight(ResamplingFilter filter, double x) {
  x = std::abs(x);
  if (x >= Support(filter)) return 0;
  switch (filter) {
    case ResamplingFilter::kBilinear:
      return 1 - x;
    case ResamplingFilter::kBicubic:
      return x < 1 ? ((kBicubicA + 2) * x - (kBicubicA + 3)) * x * x + 1
                   : (((x - 5) * x + 8) * x - 4) * kBicubicA;
    case ResamplingFilter::kLanczos:
      return Sinc(x) * Sinc(x / 3);
  }
  return 0;
}

}  // namespace

ResamplingWindow WindowOf(ResamplingFilter filter, int64_t in, int64_t out,
                          int64_t place) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double widening = std::max(scale, 1.0);
  const double support = Support(filter) * widening;
  const double center = (static_cast<double>(place) + 0.5) * scale;
  ResamplingWindow window;
  window.begin =
      std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
  const int64_t end =
      std::min(static_cast<int64_t>(center + support + 0.5), in);
  double sum = 0;
  for (int64_t i = window.begin; i < end; ++i) {
    window.weights.push_back(Weight(
        filter, (static_cast<double>(i) - center + 0.5) * (1 / widening)));
    sum += window.weights.back();
  }
  if (sum == 0) return window;
  for (double& weight : window.weights) weight /= sum;
  return window;
}

}  // namespace genzo
