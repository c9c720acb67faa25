#include "worker/media/watermark.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

namespace genzo {
namespace {

constexpr int kSide = 64;
constexpr int kCells = kSide * kSide;
// Waves of a tile, in cycles across it: short enough to hide in a picture's
// own, long enough to live through JPEG.
constexpr int kLowest = 4;
constexpr int kHighest = 13;
constexpr uint64_t kSeed = 0x67656e7a6f;  // "genzo"
// Levels of brightness, in flat parts and at most where there is much detail.
constexpr double kFlatStrength = 1.8;
constexpr double kMostStrength = 4;

using Tile = std::array<float, kCells>;

// One of the tile's waves: cycles across and down, and where it begins, in
// turns.
struct Wave {
  int fx, fy;
  double turn;
};

// The same for ever: a mark is found by whoever knows them.
std::vector<Wave> MakeWaves() {
  std::vector<Wave> waves;
  std::mt19937_64 bits(kSeed);
  for (int fy = 0; fy <= kHighest; ++fy) {
    for (int fx = -kHighest; fx <= kHighest; ++fx) {
      const int radius = fx * fx + fy * fy;
      const bool mirrored = fy == 0 && fx < 0;
      if (radius < kLowest * kLowest || radius > kHighest * kHighest ||
          mirrored) {
        continue;
      }
      // 53 bits of a fraction.
      waves.push_back({fx, fy, static_cast<double>(bits() >> 11) * 0x1p-53});
    }
  }
  return waves;
}

const std::vector<Wave>& TheWaves() {
  static const auto* const waves = new std::vector<Wave>(MakeWaves());
  return *waves;
}

// The cosine of a whole number of 64ths of a turn.
double CosineOf(int steps) {
  static const auto* const table = [] {
    auto* cosines = new std::array<double, kSide>();
    for (int i = 0; i < kSide; ++i) {
      (*cosines)[i] = std::cos(2 * std::numbers::pi * i / kSide);
    }
    return cosines;
  }();
  return (*table)[steps & (kSide - 1)];
}
double SineOf(int steps) { return CosineOf(steps - kSide / 4); }

// Of unit variance.
Tile MakeTile() {
  Tile tile = {};
  const auto scale = std::sqrt(2 / static_cast<double>(TheWaves().size()));
  for (const Wave& wave : TheWaves()) {
    const double cosine = std::cos(2 * std::numbers::pi * wave.turn) * scale;
    const double sine = std::sin(2 * std::numbers::pi * wave.turn) * scale;
    for (int i = 0; i < kCells; ++i) {
      const int steps = wave.fx * (i % kSide) + wave.fy * (i / kSide);
      tile[i] +=
          static_cast<float>(CosineOf(steps) * cosine - SineOf(steps) * sine);
    }
  }
  return tile;
}

const Tile& TheTile() {
  static const Tile* const tile = new Tile(MakeTile());
  return *tile;
}

int Byte(const Pixels& pixels, size_t i) {
  return static_cast<unsigned char>(pixels.rgb[i]);
}

// The mean of `values` [height, width] over all up to `reach` away, of each
// place.
std::vector<float> MeansAround(const std::vector<float>& values, int width,
                               int height, int reach) {
  // Sums over all above and left, with a row and a column of zeros before.
  std::vector<double> sums((width + 1) * size_t{1} * (height + 1));
  const auto at = [&](int x, int y) -> double& {
    return sums[size_t{1} * y * (width + 1) + x];
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      at(x + 1, y + 1) = values[size_t{1} * y * width + x] + at(x, y + 1) +
                         at(x + 1, y) - at(x, y);
    }
  }
  std::vector<float> means(values.size());
  for (int y = 0; y < height; ++y) {
    const int top = std::max(0, y - reach);
    const int bottom = std::min(height, y + reach + 1);
    for (int x = 0; x < width; ++x) {
      const int left = std::max(0, x - reach);
      const int right = std::min(width, x + reach + 1);
      const double sum =
          at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
      means[size_t{1} * y * width + x] =
          static_cast<float>(sum / ((right - left) * (bottom - top)));
    }
  }
  return means;
}

// Brightness of every pixel (ITU-R BT.601) less its mean around: what waves as
// short as the tile's there are.
std::vector<float> Detail(const Pixels& pixels) {
  constexpr int kReach = 6;
  std::vector<float> detail(size_t{1} * pixels.width * pixels.height);
  for (size_t i = 0; i < detail.size(); ++i) {
    detail[i] = 0.299f * Byte(pixels, 3 * i) +
                0.587f * Byte(pixels, 3 * i + 1) +
                0.114f * Byte(pixels, 3 * i + 2);
  }
  const std::vector<float> means =
      MeansAround(detail, pixels.width, pixels.height, kReach);
  for (size_t i = 0; i < detail.size(); ++i) detail[i] -= means[i];
  return detail;
}

// That by its variance around: where there is little of the picture's own, the
// mark is the easier to hear.
std::vector<float> EvenDetail(const Pixels& pixels) {
  constexpr int kReach = 3;
  constexpr float kMostDetail = 30;  // one edge does not drown all around it
  constexpr float kNoise = 20;       // of what is flat, the mark with it
  std::vector<float> detail = Detail(pixels);
  std::vector<float> squares;
  squares.reserve(detail.size());
  for (const float value : detail) {
    const float bounded = std::min(std::abs(value), kMostDetail);
    squares.push_back(bounded * bounded);
  }
  const std::vector<float> variances =
      MeansAround(squares, pixels.width, pixels.height, kReach);
  for (size_t i = 0; i < detail.size(); ++i) {
    detail[i] /= variances[i] + kNoise;
  }
  return detail;
}

}  // namespace

void AddWatermark(Pixels& pixels, absl::Span<const uint8_t> shares) {
  const Tile& tile = TheTile();
  const std::vector<float> detail = Detail(pixels);
  for (int y = 0; y < pixels.height; ++y) {
    for (int x = 0; x < pixels.width; ++x) {
      const size_t i = size_t{1} * y * pixels.width + x;
      const double strength =
          std::min(kMostStrength, kFlatStrength + 0.05 * std::abs(detail[i]));
      const double share = shares.empty() ? 1 : shares[i] / 255.0;
      const double change =
          share * strength * tile[(y % kSide) * kSide + x % kSide];
      for (size_t c = 3 * i; c < 3 * i + 3; ++c) {
        pixels.rgb[c] = static_cast<char>(
            std::clamp<long>(std::lround(Byte(pixels, c) + change), 0, 255));
      }
    }
  }
}

double FindWatermark(const Pixels& pixels) {
  if (pixels.width * int64_t{1} * pixels.height < kCells / 4) return 0;
  const std::vector<float> detail = EvenDetail(pixels);
  Tile sums = {};
  for (int y = 0; y < pixels.height; ++y) {
    for (int x = 0; x < pixels.width; ++x) {
      sums[(y % kSide) * kSide + x % kSide] +=
          detail[size_t{1} * y * pixels.width + x];
    }
  }
  // Only where each wave begins is asked, not how strong it is: the picture's
  // own strong ones would shout the others down. (Phase-only correlation.)
  struct Vote {
    int fx, fy;
    double real, imaginary;
  };
  std::vector<Vote> votes;
  for (const Wave& wave : TheWaves()) {
    std::complex<double> sum = 0;
    for (int i = 0; i < kCells; ++i) {
      const int steps = wave.fx * (i % kSide) + wave.fy * (i / kSide);
      sum += double{sums[i]} *
             std::complex<double>(CosineOf(steps), -SineOf(steps));
    }
    sum *= std::polar(1.0, -2 * std::numbers::pi * wave.turn);
    const double size = std::abs(sum);
    if (size > 0) {
      votes.push_back({wave.fx, wave.fy, sum.real() / size, sum.imag() / size});
    }
  }
  // The tile may begin anywhere: all places are tried. Where there is no mark
  // the votes are cosines of random angles, each of variance 1/2.
  double largest = 0;
  for (int shift = 0; shift < kCells; ++shift) {
    double sum = 0;
    for (const Vote& vote : votes) {
      const int steps = vote.fx * (shift % kSide) + vote.fy * (shift / kSide);
      sum += vote.real * CosineOf(steps) - vote.imaginary * SineOf(steps);
    }
    largest = std::max(largest, sum);
  }
  return votes.empty()
             ? 0
             : largest / std::sqrt(static_cast<double>(votes.size()) / 2);
}

}  // namespace genzo
