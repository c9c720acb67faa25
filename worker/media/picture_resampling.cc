#include "worker/media/picture_resampling.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace genzo {
namespace {

// Weights are whole numbers of 2^-22, as in PIL.
constexpr int kPrecisionBits = 32 - 8 - 2;

// What one output is the weighted sum of.
struct Window {
  int begin = 0;
  std::vector<int32_t> weights;
};

Window InBytes(const ResamplingWindow& exact) {
  Window window = {.begin = static_cast<int>(exact.begin), .weights = {}};
  for (const double weight : exact.weights) {
    const double scaled = weight * static_cast<double>(1 << kPrecisionBits);
    window.weights.push_back(
        static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
  }
  return window;
}

std::vector<Window> Windows(ResamplingFilter filter, int in, int64_t out,
                            int64_t begin, int count) {
  std::vector<Window> windows;
  for (int i = 0; i < count; ++i) {
    windows.push_back(InBytes(WindowOf(filter, in, out, begin + i)));
  }
  return windows;
}

// The sum over `stride` bytes apart from `from` on.
char Sum(const char* from, size_t stride, const Window& window) {
  int32_t sum = 1 << (kPrecisionBits - 1);
  for (const int32_t weight : window.weights) {
    sum += weight * static_cast<unsigned char>(*from);
    from += stride;
  }
  return static_cast<char>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

// The columns of `windows`, of so many rows from `first_row` on.
Pixels ResampleColumns(const Pixels& pixels, const std::vector<Window>& windows,
                       int first_row, int rows) {
  Pixels result{
      .width = static_cast<int>(windows.size()), .height = rows, .rgb = {}};
  result.rgb.reserve(windows.size() * rows * 3);
  for (int y = 0; y < rows; ++y) {
    const char* row =
        pixels.rgb.data() + size_t{3} * pixels.width * (first_row + y);
    for (const Window& window : windows) {
      for (int c = 0; c < 3; ++c) {
        result.rgb += Sum(row + 3 * window.begin + c, 3, window);
      }
    }
  }
  return result;
}

// The rows of `windows`; the first row of `pixels` is `first_row` of what the
// windows speak of.
Pixels ResampleRows(const Pixels& pixels, const std::vector<Window>& windows,
                    int first_row) {
  Pixels result{.width = pixels.width,
                .height = static_cast<int>(windows.size()),
                .rgb = {}};
  const size_t stride = size_t{3} * pixels.width;
  result.rgb.reserve(stride * windows.size());
  for (const Window& window : windows) {
    const char* from = pixels.rgb.data() + stride * (window.begin - first_row);
    for (size_t i = 0; i < stride; ++i) {
      result.rgb += Sum(from + i, stride, window);
    }
  }
  return result;
}

}  // namespace

Pixels Resample(const Pixels& pixels, const ResamplingPlan& plan) {
  // Where nothing is scaled a window weighs one pixel alone, with all of 2^22.
  const std::vector<Window> columns = Windows(
      plan.filter, pixels.width, plan.scaled_width, plan.left, plan.width);
  const std::vector<Window> rows = Windows(
      plan.filter, pixels.height, plan.scaled_height, plan.top, plan.height);
  const int first_row = rows.front().begin;
  const int end_row =
      rows.back().begin + static_cast<int>(rows.back().weights.size());
  return ResampleRows(
      ResampleColumns(pixels, columns, first_row, end_row - first_row), rows,
      first_row);
}

Pixels ResampleTo(const Pixels& pixels, ResamplingFilter filter, int width,
                  int height) {
  return Resample(pixels, {.filter = filter,
                           .scaled_width = width,
                           .scaled_height = height,
                           .width = width,
                           .height = height});
}

}  // namespace genzo
