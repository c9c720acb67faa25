#include "worker/upscale/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ATen/ops/index_select.h"
#include "ATen/ops/zeros.h"

namespace genzo {
namespace {

constexpr double kLobes = 3;

double Sinc(double x) {
  if (x == 0) return 1;
  x *= M_PI;
  return std::sin(x) / x;
}

double Lanczos(double x) {
  return std::abs(x) < kLobes ? Sinc(x) * Sinc(x / kLobes) : 0;
}

// Where each place of the result looks, and how much each of them counts.
struct Taps {
  at::Tensor places;   // [taps, out] int64
  at::Tensor weights;  // [taps, out] float32
};

// Reference: precompute_coeffs of Pillow's Resample.c.
Taps TapsOf(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double wide = std::max(scale, 1.0);
  const double support = kLobes * wide;
  const int64_t most =
      std::min(in, static_cast<int64_t>(std::ceil(support)) * 2 + 1);
  const Taps taps = {at::zeros({most, out}, at::kLong),
                     at::zeros({most, out}, at::kFloat)};
  auto* const places = taps.places.mutable_data_ptr<int64_t>();
  auto* const weights = taps.weights.mutable_data_ptr<float>();
  std::vector<double> row(most);
  for (int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<int64_t>(
        0, static_cast<int64_t>(std::floor(center - support + 0.5)));
    const auto end = std::min<int64_t>(
        in, static_cast<int64_t>(std::floor(center + support + 0.5)));
    double sum = 0;
    for (int64_t k = 0; k < end - begin; ++k) {
      row[k] = Lanczos((static_cast<double>(begin + k) - center + 0.5) / wide);
      sum += row[k];
    }
    for (int64_t k = 0; k < end - begin; ++k) {
      places[k * out + i] = begin + k;
      weights[k * out + i] = static_cast<float>(row[k] / sum);
    }
  }
  return taps;
}

at::Tensor ResizeSide(const at::Tensor& pixels, int64_t dim, int64_t out) {
  if (pixels.size(dim) == out) return pixels;
  const Taps taps = TapsOf(pixels.size(dim), out);
  std::vector<int64_t> sizes(pixels.dim(), 1);
  sizes[dim] = out;
  at::Tensor sum;
  for (int64_t k = 0; k < taps.places.size(0); ++k) {
    const at::Tensor part =
        at::index_select(pixels, dim, taps.places.select(0, k))
            .mul_(taps.weights.select(0, k).view(sizes));
    sum = sum.defined() ? sum.add_(part) : part;
  }
  return sum;
}

}  // namespace

at::Tensor ResizeLanczos(const at::Tensor& pixels, int64_t height,
                         int64_t width) {
  return ResizeSide(ResizeSide(pixels, 3, width), 2, height);
}

}  // namespace genzo
