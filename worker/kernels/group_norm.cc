#include "worker/kernels/group_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ATen/Parallel.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "worker/kernels/lanes.h"

namespace genzo {
namespace {

// Pixels whose moments are taken at once.
constexpr int64_t kChunk = 64;

int64_t Chunks(int64_t pixels) { return (pixels + kChunk - 1) / kChunk; }

// The sizes of one call.
struct Extent {
  int64_t rows;
  int64_t channels;
  int64_t pixels;
  int64_t chunks;
};

const Bf16Bits* Bits(const at::BFloat16* data) {
  return reinterpret_cast<const Bf16Bits*>(data);
}

// Mean and inverse deviation of one group from the chunks' moments, joined as
// in Chan et al., "Updating formulae", 1979.
struct GroupMoments {
  double count = 0;
  double mean = 0;
  double m2 = 0;

  void Join(double other_count, double other_mean, double other_m2) {
    const double total = count + other_count;
    const double delta = other_mean - mean;
    mean += delta * other_count / total;
    m2 += other_m2 + delta * delta * count * other_count / total;
    count = total;
  }
};

// Moments [chunks, 2, channels] of every chunk.
at::Tensor ChunkMoments(const at::Tensor& x, const at::Tensor& shift,
                        const Extent& extent) {
  const at::Tensor moments =
      at::empty({extent.rows, extent.chunks, 2, extent.channels}, at::kFloat);
  float* const out = moments.data_ptr<float>();
  const float* const shifts =
      shift.defined() ? shift.const_data_ptr<float>() : nullptr;
  at::parallel_for(
      0, extent.rows * extent.chunks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t row = i / extent.chunks;
          const int64_t first = i % extent.chunks * kChunk;
          const int64_t pixels = std::min(kChunk, extent.pixels - first);
          const int64_t offset =
              (row * extent.pixels + first) * extent.channels;
          float* const mean = out + i * 2 * extent.channels;
          float* const m2 = mean + extent.channels;
          const float* const row_shift =
              shifts == nullptr ? nullptr : shifts + row * extent.channels;
          if (x.scalar_type() == at::kFloat) {
            BestLanes().moments_float(x.const_data_ptr<float>() + offset,
                                      row_shift, pixels, extent.channels, mean,
                                      m2);
          } else {
            BestLanes().moments_bf16(
                Bits(x.const_data_ptr<at::BFloat16>()) + offset, row_shift,
                pixels, extent.channels, mean, m2);
          }
        }
      });
  return moments;
}

// What each channel of each row is multiplied by and then raised by:
// [rows, 2, channels].
at::Tensor Affine(const at::Tensor& moments, const at::Tensor& shift,
                  const at::Tensor& weight, const at::Tensor& bias,
                  const GroupNormOptions& options, const Extent& extent) {
  const at::Tensor affine =
      at::empty({extent.rows, 2, extent.channels}, at::kFloat);
  const int64_t per_group = extent.channels / options.groups;
  const float* const in = moments.const_data_ptr<float>();
  const float* const weights = weight.const_data_ptr<float>();
  const float* const biases = bias.const_data_ptr<float>();
  const float* const shifts =
      shift.defined() ? shift.const_data_ptr<float>() : nullptr;
  float* const out = affine.data_ptr<float>();
  const auto group_affine = [&](int64_t row, int64_t group) {
    GroupMoments sum;
    for (int64_t chunk = 0; chunk < extent.chunks; ++chunk) {
      const double count =
          static_cast<double>(std::min(kChunk, extent.pixels - chunk * kChunk));
      const float* const mean =
          in + (row * extent.chunks + chunk) * 2 * extent.channels;
      for (int64_t c = group * per_group; c < (group + 1) * per_group; ++c) {
        sum.Join(count, mean[c], mean[extent.channels + c]);
      }
    }
    const double inverse = 1 / std::sqrt(sum.m2 / sum.count + options.eps);
    float* const scale = out + row * 2 * extent.channels;
    float* const offset = scale + extent.channels;
    for (int64_t c = group * per_group; c < (group + 1) * per_group; ++c) {
      const double raised =
          shifts == nullptr ? 0 : shifts[row * extent.channels + c];
      scale[c] = static_cast<float>(weights[c] * inverse);
      offset[c] = static_cast<float>(biases[c] + (raised - sum.mean) *
                                                     weights[c] * inverse);
    }
  };
  at::parallel_for(0, extent.rows * options.groups, 8,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) {
                       group_affine(i / options.groups, i % options.groups);
                     }
                   });
  return affine;
}

void Apply(const at::Tensor& x, const at::Tensor& affine, bool silu,
           const Extent& extent, const at::Tensor& y) {
  const float* const scales = affine.const_data_ptr<float>();
  at::parallel_for(
      0, extent.rows * extent.chunks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t row = i / extent.chunks;
          const int64_t first = i % extent.chunks * kChunk;
          const int64_t pixels = std::min(kChunk, extent.pixels - first);
          const int64_t place = (row * extent.pixels + first) * extent.channels;
          const float* const scale = scales + row * 2 * extent.channels;
          const float* const offset = scale + extent.channels;
          if (x.scalar_type() == at::kFloat) {
            BestLanes().affine_float(x.const_data_ptr<float>() + place, scale,
                                     offset, pixels, extent.channels, silu,
                                     y.data_ptr<float>() + place);
          } else {
            BestLanes().affine_bf16(
                Bits(x.const_data_ptr<at::BFloat16>()) + place, scale, offset,
                pixels, extent.channels, silu,
                reinterpret_cast<Bf16Bits*>(y.data_ptr<at::BFloat16>()) +
                    place);
          }
        }
      });
}

}  // namespace

at::Tensor ChannelsLastGroupNorm(const at::Tensor& x, const at::Tensor& shift,
                                 const at::Tensor& weight,
                                 const at::Tensor& bias,
                                 const GroupNormOptions& options) {
  CheckGroupNorm(x, shift, weight, bias, options);
  const at::Tensor in = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor row_shift = shift.defined() ? shift.contiguous() : shift;
  const Extent extent = {in.size(0), in.size(1), in.size(2) * in.size(3),
                         Chunks(in.size(2) * in.size(3))};
  const at::Tensor affine = Affine(ChunkMoments(in, row_shift, extent),
                                   row_shift, weight, bias, options, extent);
  const at::Tensor out = at::empty_like(in);
  Apply(in, affine, options.silu, extent, out);
  return out;
}

}  // namespace genzo
