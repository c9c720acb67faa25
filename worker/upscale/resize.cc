#include "worker/upscale/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ATen/ops/empty.h"

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

}  // namespace

// Reference: precompute_coeffs of Pillow's Resample.c.
LanczosResize::Taps LanczosResize::TapsOf(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double wide = std::max(scale, 1.0);
  const double support = kLobes * wide;
  Taps taps(static_cast<size_t>(out));
  if (in == out) {
    for (int64_t i = 0; i < out; ++i) taps[static_cast<size_t>(i)] = {i, {1}};
    return taps;
  }
  std::vector<double> row;
  for (int64_t i = 0; i < out; ++i) {
    Tap& tap = taps[static_cast<size_t>(i)];
    const double center = (static_cast<double>(i) + 0.5) * scale;
    tap.begin = std::max<int64_t>(
        0, static_cast<int64_t>(std::floor(center - support + 0.5)));
    const auto end = std::min<int64_t>(
        in, static_cast<int64_t>(std::floor(center + support + 0.5)));
    row.clear();
    double sum = 0;
    for (int64_t place = tap.begin; place < end; ++place) {
      row.push_back(
          Lanczos((static_cast<double>(place) - center + 0.5) / wide));
      sum += row.back();
    }
    for (const double weight : row) {
      tap.weights.push_back(static_cast<float>(weight / sum));
    }
  }
  return taps;
}

LanczosResize::LanczosResize(const at::Tensor& pixels, int64_t height,
                             int64_t width)
    : pixels_(pixels.contiguous()),
      columns_(TapsOf(pixels.size(3), width)),
      rows_(TapsOf(pixels.size(2), height)),
      result_(at::empty({1, pixels.size(1), height, width}, at::kFloat)) {}

int64_t LanczosResize::BandsOf(int64_t height) {
  return (height + kBandRows - 1) / kBandRows;
}

void LanczosResize::Step() {
  const int64_t height = result_.size(2);
  const int64_t first = done_ * kBandRows;
  if (first >= height) return;
  const int64_t last = std::min(first + kBandRows, height);
  // The rows that the band looks at, at the result's width.
  const int64_t begin = rows_[static_cast<size_t>(first)].begin;
  const Tap& lowest = rows_[static_cast<size_t>(last - 1)];
  const int64_t end =
      lowest.begin + static_cast<int64_t>(lowest.weights.size());
  for (int64_t channel = 0; channel < pixels_.size(1); ++channel) {
    Widen(channel, begin, end);
    for (int64_t y = first; y < last; ++y) MakeRow(channel, y, begin);
  }
  ++done_;
}

void LanczosResize::Widen(int64_t channel, int64_t begin, int64_t end) {
  const int64_t width = result_.size(3);
  wide_.resize(static_cast<size_t>((end - begin) * width));
  const float* const plane = pixels_.const_data_ptr<float>() +
                             channel * pixels_.size(2) * pixels_.size(3);
  for (int64_t y = begin; y < end; ++y) {
    const float* const from = plane + y * pixels_.size(3);
    float* const to = wide_.data() + (y - begin) * width;
    for (int64_t x = 0; x < width; ++x) {
      const Tap& tap = columns_[static_cast<size_t>(x)];
      float sum = 0;
      for (size_t k = 0; k < tap.weights.size(); ++k) {
        sum += from[tap.begin + static_cast<int64_t>(k)] * tap.weights[k];
      }
      to[x] = sum;
    }
  }
}

void LanczosResize::MakeRow(int64_t channel, int64_t y, int64_t begin) {
  const int64_t width = result_.size(3);
  float* const to = result_.mutable_data_ptr<float>() +
                    (channel * result_.size(2) + y) * width;
  const Tap& tap = rows_[static_cast<size_t>(y)];
  std::fill_n(to, width, 0.0f);
  for (size_t k = 0; k < tap.weights.size(); ++k) {
    const float* const from =
        wide_.data() + (tap.begin - begin + static_cast<int64_t>(k)) * width;
    for (int64_t x = 0; x < width; ++x) to[x] += from[x] * tap.weights[k];
  }
}

at::Tensor ResizeLanczos(const at::Tensor& pixels, int64_t height,
                         int64_t width) {
  LanczosResize resize(pixels, height, width);
  for (int64_t i = 0; i < LanczosResize::BandsOf(height); ++i) resize.Step();
  return resize.result();
}

}  // namespace genzo
