#include "worker/upscale/resize.h"

#include <algorithm>
#include <vector>

#include "ATen/ops/empty.h"
#include "worker/media/resampling_window.h"

namespace genzo {
LanczosResize::Taps LanczosResize::TapsOf(int64_t in, int64_t out) {
  Taps taps;
  for (int64_t i = 0; i < out; ++i) {
    if (in == out) {  // the very bits
      taps.push_back({i, {1}});
      continue;
    }
    const auto window = WindowOf(ResamplingFilter::kLanczos, in, out, i);
    taps.push_back(
        {window.begin, {window.weights.begin(), window.weights.end()}});
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
