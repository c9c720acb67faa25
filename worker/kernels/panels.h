#ifndef GENZO_WORKER_KERNELS_PANELS_H_
#define GENZO_WORKER_KERNELS_PANELS_H_

#include <cstdint>
#include <type_traits>

#include "ATen/native/CPUBlas.h"
#include "c10/core/ScalarType.h"
#include "c10/util/BFloat16.h"

// Matrices as LibTorch's small matrix products want their right side, for
// kernels that multiply block by block. float or at::BFloat16.
namespace genzo {

// Columns of a panel: the block that the products read.
inline constexpr int64_t kPanel = 64;

// How many elements along the summed dimension lie side by side in a panel:
// pairs of bfloat16.
template <typename T>
inline constexpr int64_t kGroup = std::is_same_v<T, at::BFloat16> ? 2 : 1;

constexpr int64_t RoundUp(int64_t n, int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// Elements of a matrix of `columns` of `depth` numbers in panels.
template <typename T>
constexpr int64_t PanelElements(int64_t columns, int64_t depth) {
  return RoundUp(columns, kPanel) * RoundUp(depth, kGroup<T>);
}

// The transposed of w [columns, depth], whose rows begin `stride` apart, in
// panels [columns / 64][depth / group][64][group]; zeros behind its end.
template <typename T>
void PackPanels(const T* w, int64_t stride, int64_t columns, int64_t depth,
                T* packed) {
  constexpr int64_t kPairs = kGroup<T>;
  const int64_t padded = RoundUp(depth, kPairs);
  for (int64_t column = 0; column < RoundUp(columns, kPanel); ++column) {
    T* const panel =
        packed + column / kPanel * kPanel * padded + column % kPanel * kPairs;
    const int64_t real = column < columns ? depth : 0;
    for (int64_t d = 0; d < padded; ++d) {
      panel[d / kPairs * kPanel * kPairs + d % kPairs] =
          d < real ? w[column * stride + d] : T(0);
    }
  }
}

// to [rows, columns], whose rows begin `to_stride` apart, = x [rows, depth]
// times one panel, of whose columns at most kPanel are wanted. A thread that is
// done calls ReleasePanels().
template <typename T>
void MultiplyPanel(const T* x, int64_t x_stride, int64_t rows, int64_t depth,
                   const T* panel, int64_t columns, float* to,
                   int64_t to_stride) {
  at::native::cpublas::brgemm(rows, columns, RoundUp(depth, kGroup<T>),
                              x_stride, kPanel, to_stride, /*add_C=*/false, x,
                              panel, to, kGroup<T> == 2);
}

template <typename T>
void ReleasePanels() {
  at::native::cpublas::brgemm_release(kGroup<T> == 2);
}

// Whether matrices of that type and depth can be multiplied so.
bool CanMultiplyPanels(at::ScalarType type, int64_t depth);

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_PANELS_H_
