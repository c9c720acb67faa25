#ifndef GENZO_WORKER_KERNELS_ROW_BITS_H_
#define GENZO_WORKER_KERNELS_ROW_BITS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/ops/empty.h"

namespace genzo {

// A row is to have the bits that it has alone, whoever shares its evaluation.
// oneDNN chooses kernels, and how they cut sums into parts, by the size of the
// batch, and does not say when. So each layer of each size is tried once, on
// inputs that show any difference: where there is one, its rows are computed
// one by one from then on, and all others together.
//
//   a linear layer, 1024 -> 256, 16 places, bfloat16, AMX
//     2 rows   together: their own bits
//     4 rows   other parts of sums: one by one
//
// To try a large layer takes as long as to compute it a few times. So that is
// done on threads that say so (TryingRowBits), and elsewhere so seldom that it
// takes a tenth of the time; until then its rows are computed one by one.

// What oneDNN chooses a kernel by: operation, sizes, type, threads.
using LayerKey = std::vector<int64_t>;

// What was found out about a layer; nothing yet. Any thread.
std::optional<bool> KeepsRowBits(const LayerKey& key);
void SetKeepsRowBits(LayerKey key, bool keeps);
// All that was found out, to be set again by another process on this machine,
// and of how many layers that is.
std::vector<std::pair<LayerKey, bool>> AllRowBits();
size_t RowBitsCount();

// Whether the calling thread may try a large layer now, and what that took.
// Any thread.
bool MayTryLargeLayer();
void TriedLargeLayer(std::chrono::steady_clock::duration took);

// While one lives, its thread tries large layers, too.
class TryingRowBits {
 public:
  TryingRowBits();
  ~TryingRowBits();
  TryingRowBits(const TryingRowBits&) = delete;
  TryingRowBits& operator=(const TryingRowBits&) = delete;

  // Whether this thread has one.
  static bool Now();
};

// Random numbers of these sizes and type, the same on every call. Numbers along
// dimension `dim` are in pairs: equal ones of `sign` 1, opposite ones of -1.
// The products of the two add up to nothing but what rounding leaves, and that
// depends on the order of the sum alone.
at::Tensor PairedNumbers(at::IntArrayRef sizes, int64_t dim, int sign,
                         at::ScalarType dtype);

// of(row) [1, ...] for each of `rows` rows, one after the other: [rows, ...].
// For what adds up few rows in another order than more.
template <typename Of>
at::Tensor RowByRow(int64_t rows, const Of& of) {
  const at::Tensor first = of(int64_t{0});
  std::vector<int64_t> sizes = first.sizes().vec();
  sizes[0] = rows;
  const at::Tensor all =
      at::empty(sizes, first.options(), first.suggest_memory_format());
  all.narrow(0, 0, 1).copy_(first);
  for (int64_t row = 1; row < rows; ++row) {
    all.narrow(0, row, 1).copy_(of(row));
  }
  return all;
}

// `layer` of each row of x [B, ...] and of `other`, of the same B or undefined.
template <typename Layer>
at::Tensor OneByOne(const at::Tensor& x, const at::Tensor& other,
                    const Layer& layer) {
  const auto row_of = [](const at::Tensor& t, int64_t row) {
    return t.defined() ? t.narrow(0, row, 1) : t;
  };
  return RowByRow(x.size(0), [&](int64_t row) {
    return layer(row_of(x, row), row_of(other, row));
  });
}

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_ROW_BITS_H_
