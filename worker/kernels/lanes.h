#ifndef GENZO_WORKER_KERNELS_LANES_H_
#define GENZO_WORKER_KERNELS_LANES_H_

#include <cstdint>

namespace genzo {

// bfloat16 as its bits.
using Bf16Bits = uint16_t;

// How one block of attention scores is turned into weights.
struct SoftmaxBlock {
  float* scores;  // [rows, stride]
  int64_t rows;
  int64_t columns;  // that hold scores
  int64_t padded;   // columns to write; zero weight from `columns` on
  int64_t stride;   // of scores and weights, in elements
  float scale;      // scores are multiplied by it first
  float* row_max;   // [rows] of all blocks so far, scaled; -inf at first
  float* row_sum;   // [rows] of the weights so far
  float* rescale;   // [rows] out: what earlier results must be multiplied by
};

// Where the four places of one tile of a Winograd convolution go.
struct WinogradTile {
  const float* bias;  // [channels]
  int64_t channels;
  bool relu;
  float* places[4];        // each [channels]
  const float* others[4];  // likewise, added; or all null
};

// The inner loops of our own CPU kernels over one stretch of memory, compiled
// once per instruction set from lanes.inc. Channels are the innermost dimension
// (channels last). Results do not depend on anything but the arguments.
struct Lanes {
  // Mean and sum of squared deviations of each of `channels` channels over
  // `pixels` pixels of x, to which `shift` [channels] is added unless null.
  void (*moments_float)(const float* x, const float* shift, int64_t pixels,
                        int64_t channels, float* mean, float* m2);
  void (*moments_bf16)(const Bf16Bits* x, const float* shift, int64_t pixels,
                       int64_t channels, float* mean, float* m2);

  // y = x * scale + offset per channel, through SiLU if `silu`. May be in
  // place.
  void (*affine_float)(const float* x, const float* scale, const float* offset,
                       int64_t pixels, int64_t channels, bool silu, float* y);
  void (*affine_bf16)(const Bf16Bits* x, const float* scale,
                      const float* offset, int64_t pixels, int64_t channels,
                      bool silu, Bf16Bits* y);

  // The streaming softmax of flash attention (arXiv:2205.14135): weights
  // [rows, stride]. For scores of finite numbers.
  void (*softmax_float)(const SoftmaxBlock& block, float* weights);
  void (*softmax_bf16)(const SoftmaxBlock& block, Bf16Bits* weights);

  // to [n] = from [n] * factor.
  void (*scale_float)(const float* from, float factor, int64_t n, float* to);
  void (*scale_bf16)(const float* from, float factor, int64_t n, Bf16Bits* to);
  // to [n] += from [n] * factor, rounded once.
  void (*add_float)(const float* from, float factor, int64_t n, float* to);
  void (*add_bf16)(const float* from, float factor, int64_t n, Bf16Bits* to);

  // Winograd's F(2x2, 3x3) (arXiv:1509.09308): B^T d B of the 4 x 4 `places`,
  // each [channels], to the 16 stretches of `to`, `stride` apart; and A^T m A
  // of 16 stretches of sums to a tile.
  void (*winograd_see)(const float* const* places, int64_t channels,
                       int64_t stride, float* to);
  void (*winograd_finish)(const float* sums, int64_t stride,
                          const WinogradTile& tile);
};

// Those of the best instruction set that this processor has.
const Lanes& BestLanes();

// One table per instruction set.
extern const Lanes kLanesBf16;     // AVX-512 with BF16
extern const Lanes kLanesV4;       // AVX-512 (x86-64-v4)
extern const Lanes kLanesV3;       // AVX2 (x86-64-v3)
extern const Lanes kLanesGeneric;  // what every x86-64 has

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_LANES_H_
