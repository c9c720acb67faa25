#include "tests/parity/lanczos.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

// Pillow's src/libImaging/Resample.c: weights in fixed point, each pass rounded
// to bytes.

namespace genzo::parity {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kSupport = 3;
constexpr int kFractionBits = 32 - 8 - 2;
constexpr int kChannels = 3;

double Sinc(double x) { return x == 0 ? 1 : std::sin(kPi * x) / (kPi * x); }

double Lanczos(double x) {
  return x < -kSupport || x >= kSupport ? 0 : Sinc(x) * Sinc(x / kSupport);
}

// What one pixel of the result is made of.
struct Taps {
  int first = 0;
  std::vector<int> weights = {};
};

Taps TapsOf(int at, int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double widened = std::max(scale, 1.0);
  const double center = (at + 0.5) * scale;
  const double reach = kSupport * widened;
  Taps taps = {.first = std::max(0, static_cast<int>(center - reach + 0.5))};
  const int end = std::min(from, static_cast<int>(center + reach + 0.5));
  std::vector<double> exact;
  double sum = 0;
  for (int i = taps.first; i < end; ++i) {
    exact.push_back(Lanczos((i - center + 0.5) / widened));
    sum += exact.back();
  }
  for (const double weight : exact) {
    const double fixed = weight / sum * (1 << kFractionBits);
    taps.weights.push_back(static_cast<int>(fixed + (fixed < 0 ? -0.5 : 0.5)));
  }
  return taps;
}

// One pass: `lines` lines of `from` pixels, which lie `step` apart.
struct Axis {
  int from, to, lines;
  int step, line_step;        // of the source, in pixels
  int to_step, to_line_step;  // of the result
};

std::string Pass(const std::string& source, const Axis& axis) {
  std::string result(size_t{kChannels} * axis.to * axis.lines, '\0');
  for (int at = 0; at < axis.to; ++at) {
    const Taps taps = TapsOf(at, axis.from, axis.to);
    for (int line = 0; line < axis.lines; ++line) {
      for (int channel = 0; channel < kChannels; ++channel) {
        int64_t sum = int64_t{1} << (kFractionBits - 1);
        int pixel = line * axis.line_step + taps.first * axis.step;
        for (const int weight : taps.weights) {
          const char byte = source[size_t{kChannels} * pixel + channel];
          sum += int64_t{weight} * static_cast<unsigned char>(byte);
          pixel += axis.step;
        }
        const int to = at * axis.to_step + line * axis.to_line_step;
        result[size_t{kChannels} * to + channel] = static_cast<char>(
            std::clamp<int64_t>(sum >> kFractionBits, 0, 255));
      }
    }
  }
  return result;
}

}  // namespace

Pixels ResizedByLanczos(const Pixels& pixels, int width, int height) {
  Pixels result = pixels;
  if (width != pixels.width) {
    result.rgb =
        Pass(result.rgb, {pixels.width, width, pixels.height, /*step=*/1,
                          pixels.width, /*to_step=*/1, width});
    result.width = width;
  }
  if (height != pixels.height) {
    result.rgb = Pass(result.rgb, {pixels.height, height, width,
                                   /*step=*/width, 1, /*to_step=*/width, 1});
    result.height = height;
  }
  return result;
}

}  // namespace genzo::parity
