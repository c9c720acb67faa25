#include "worker/kernels/flash_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ATen/Parallel.h"
#include "ATen/native/CPUBlas.h"
#include "ATen/ops/empty.h"
#include "c10/util/Exception.h"
#include "worker/kernels/lanes.h"
#include "worker/kernels/panels.h"

namespace genzo {
namespace {

using at::BFloat16;
namespace cpublas = at::native::cpublas;

constexpr int64_t kQueryBlock = 64;
constexpr int64_t kKeyBlock = 512;
// Keys are padded to a multiple of what one tile instruction multiplies.
constexpr int64_t kKeyMultiple = 32;

// Sizes of one call.
struct Extent {
  int64_t rows, queries, keys, heads, head_size;

  int64_t padded_keys() const { return RoundUp(keys, kPanel); }
  int64_t padded_head() const { return RoundUp(head_size, 16); }
  // Elements of one head's packed keys, and of its packed values.
  int64_t key_elements() const { return padded_keys() * head_size; }
  int64_t value_elements() const { return padded_keys() * padded_head(); }
};

// Width of the value panel that begins at channel `begin`.
int64_t PanelWidth(const Extent& extent, int64_t begin) {
  return std::min(kPanel, extent.padded_head() - begin);
}

// v of one head in panels of up to 64 channels, each
// [keys / group][width][group].
template <typename T>
void PackValues(const T* v, int64_t stride, const Extent& extent, T* packed) {
  constexpr int64_t kPairs = kGroup<T>;
  for (int64_t begin = 0; begin < extent.padded_head(); begin += kPanel) {
    const int64_t width = PanelWidth(extent, begin);
    T* const panel = packed + begin * extent.padded_keys();
    for (int64_t key = 0; key < extent.padded_keys(); ++key) {
      T* const to = panel + key / kPairs * width * kPairs + key % kPairs;
      for (int64_t i = 0; i < width; ++i) {
        const bool real = key < extent.keys && begin + i < extent.head_size;
        to[i * kPairs] = real ? v[key * stride + begin + i] : T(0);
      }
    }
  }
}

// One thread's memory for a block of queries.
template <typename T>
struct Workspace {
  explicit Workspace(const Extent& extent)
      : scores(kQueryBlock * kKeyBlock),
        weights(kQueryBlock * kKeyBlock),
        sums(kQueryBlock * extent.padded_head()),
        row_max(kQueryBlock),
        row_sum(kQueryBlock),
        rescale(kQueryBlock) {}

  std::vector<float> scores;
  std::vector<T> weights;
  std::vector<float> sums;  // [queries, padded_head]
  std::vector<float> row_max, row_sum, rescale;
};

// Where a block of queries finds its matrices.
template <typename T>
struct Block {
  const T* q;  // [queries, q_stride]
  int64_t q_stride;
  int64_t queries;
  const T* keys;    // packed
  const T* values;  // packed
  T* out;           // [queries, out_stride]
  int64_t out_stride;
};

template <typename T>
void Scores(const Block<T>& block, const Extent& extent, int64_t first,
            int64_t padded, Workspace<T>& work) {
  for (int64_t key = 0; key < padded; key += kPanel) {
    MultiplyPanel(block.q, block.q_stride, block.queries, extent.head_size,
                  block.keys + (first + key) * extent.head_size,
                  std::min(kPanel, padded - key), work.scores.data() + key,
                  kKeyBlock);
  }
}

template <typename T>
void AddValues(const Block<T>& block, const Extent& extent, int64_t first,
               int64_t padded, Workspace<T>& work) {
  for (int64_t begin = 0; begin < extent.padded_head(); begin += kPanel) {
    const int64_t width = PanelWidth(extent, begin);
    cpublas::brgemm(block.queries, width, padded, kKeyBlock, width,
                    extent.padded_head(),
                    /*add_C=*/first > 0, work.weights.data(),
                    block.values + begin * extent.padded_keys() + first * width,
                    work.sums.data() + begin, kGroup<T> == 2);
  }
}

void Weigh(const SoftmaxBlock& block, float* weights) {
  BestLanes().softmax_float(block, weights);
}
void Weigh(const SoftmaxBlock& block, BFloat16* weights) {
  BestLanes().softmax_bf16(block, reinterpret_cast<Bf16Bits*>(weights));
}

void Scale(const float* from, float factor, int64_t n, float* to) {
  BestLanes().scale_float(from, factor, n, to);
}
void Scale(const float* from, float factor, int64_t n, BFloat16* to) {
  BestLanes().scale_bf16(from, factor, n, reinterpret_cast<Bf16Bits*>(to));
}

template <typename T>
void Attend(const Block<T>& block, const Extent& extent, Workspace<T>& work) {
  const int64_t width = extent.padded_head();
  std::fill_n(work.row_max.begin(), block.queries,
              -std::numeric_limits<float>::infinity());
  std::fill_n(work.row_sum.begin(), block.queries, 0.0f);
  const float scale = 1 / std::sqrt(static_cast<float>(extent.head_size));
  for (int64_t first = 0; first < extent.keys; first += kKeyBlock) {
    const int64_t columns = std::min(kKeyBlock, extent.keys - first);
    const int64_t padded = RoundUp(columns, kKeyMultiple);
    Scores(block, extent, first, padded, work);
    Weigh({.scores = work.scores.data(),
           .rows = block.queries,
           .columns = columns,
           .padded = padded,
           .stride = kKeyBlock,
           .scale = scale,
           .row_max = work.row_max.data(),
           .row_sum = work.row_sum.data(),
           .rescale = work.rescale.data()},
          work.weights.data());
    for (int64_t i = 0; first > 0 && i < block.queries; ++i) {
      float* const sums = work.sums.data() + i * width;
      if (work.rescale[i] != 1) {
        Scale(sums, work.rescale[i], width, sums);
      }
    }
    AddValues(block, extent, first, padded, work);
  }
  for (int64_t i = 0; i < block.queries; ++i) {
    Scale(work.sums.data() + i * width, 1 / work.row_sum[i], extent.head_size,
          block.out + i * block.out_stride);
  }
}

template <typename T>
at::Tensor FlashAttend(const at::Tensor& q, const at::Tensor& k,
                       const at::Tensor& v, int64_t heads) {
  const Extent extent = {q.size(0), q.size(1), k.size(1), heads,
                         q.size(2) / heads};
  const int64_t pairs = extent.rows * heads;
  const at::Tensor keys =
      at::empty({pairs, extent.key_elements()}, q.options());
  const at::Tensor values =
      at::empty({pairs, extent.value_elements()}, q.options());
  const at::Tensor out = at::empty(q.sizes(), q.options());
  // First place of head `pair % heads` of row `pair / heads`.
  const auto head_of = [&](const at::Tensor& t, int64_t pair) {
    return t.data_ptr<T>() + pair / heads * t.stride(0) +
           pair % heads * extent.head_size;
  };
  at::parallel_for(0, pairs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      PackPanels(head_of(k, i), k.stride(1), extent.keys, extent.head_size,
                 keys.data_ptr<T>() + i * extent.key_elements());
      PackValues(head_of(v, i), v.stride(1), extent,
                 values.data_ptr<T>() + i * extent.value_elements());
    }
  });
  const int64_t blocks = (extent.queries + kQueryBlock - 1) / kQueryBlock;
  at::parallel_for(0, pairs * blocks, 1, [&](int64_t begin, int64_t end) {
    Workspace<T> work(extent);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t pair = i / blocks;
      const int64_t first = i % blocks * kQueryBlock;
      Attend<T>(
          {.q = head_of(q, pair) + first * q.stride(1),
           .q_stride = q.stride(1),
           .queries = std::min(kQueryBlock, extent.queries - first),
           .keys = keys.data_ptr<T>() + pair * extent.key_elements(),
           .values = values.data_ptr<T>() + pair * extent.value_elements(),
           .out = head_of(out, pair) + first * out.stride(1),
           .out_stride = out.stride(1)},
          extent, work);
    }
    ReleasePanels<T>();
  });
  return out;
}

}  // namespace

bool CanFlashAttend(const at::Tensor& q, int64_t head_size) {
  return q.is_cpu() && CanMultiplyPanels(q.scalar_type(), head_size);
}

at::Tensor FlashAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v, int64_t heads) {
  // As LibTorch's own operators refuse what does not fit.
  TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && k.sizes() == v.sizes() &&
                  k.size(0) == q.size(0) && k.size(2) == q.size(2) &&
                  k.size(1) > 0 && q.size(2) % heads == 0 &&
                  k.scalar_type() == q.scalar_type() &&
                  v.scalar_type() == q.scalar_type() && q.stride(2) == 1 &&
                  k.stride(2) == 1 && v.stride(2) == 1,
              "attention: q ", q.sizes(), ", k ", k.sizes(), " and v ",
              v.sizes(), " do not fit ", heads, " heads");
  return q.scalar_type() == at::kFloat ? FlashAttend<float>(q, k, v, heads)
                                       : FlashAttend<BFloat16>(q, k, v, heads);
}

}  // namespace genzo
