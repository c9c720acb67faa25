#include "worker/kernels/low_rank.h"

#include <algorithm>

#include "ATen/Parallel.h"
#include "c10/util/Exception.h"
#include "worker/kernels/lanes.h"
#include "worker/kernels/panels.h"

namespace genzo {
namespace {

using at::BFloat16;

// Places that are multiplied at a time: none of two rows.
constexpr int64_t kBlock = 64;
// What one instruction multiplies: narrower products are no faster.
constexpr int64_t kLeastColumns = 16;

void Round(const float* from, int64_t n, float* to) {
  BestLanes().scale_float(from, 1, n, to);
}
void Round(const float* from, int64_t n, BFloat16* to) {
  BestLanes().scale_bf16(from, 1, n, reinterpret_cast<Bf16Bits*>(to));
}

void AddScaled(const float* from, float factor, int64_t n, float* to) {
  BestLanes().add_float(from, factor, n, to);
}
void AddScaled(const float* from, float factor, int64_t n, BFloat16* to) {
  BestLanes().add_bf16(from, factor, n, reinterpret_cast<Bf16Bits*>(to));
}

// One thread's memory for a block.
template <typename T>
struct Workspace {
  std::vector<float> sums = std::vector<float>(kBlock * kPanel);
  std::vector<T> h;  // [kBlock, rank], padded
};

// One product, with its matrices in panels.
template <typename T>
class Product {
 public:
  Product(const LowRankProduct& product, int64_t places)
      : product_(product),
        in_(product.down.size(1)),
        rank_(product.down.size(0)),
        out_(product.up.size(0)),
        places_(places),
        down_(PanelElements<T>(rank_, in_)),
        up_(PanelElements<T>(out_, rank_)) {}

  void Pack() {
    const LowRankProduct& p = product_;
    PackPanels(p.down.data_ptr<T>(), p.down.stride(0), rank_, in_,
               down_.data());
    PackPanels(p.up.data_ptr<T>(), p.up.stride(0), out_, rank_, up_.data());
  }

  int64_t blocks() const { return product_.rows * BlocksOfRow(); }

  void Add(int64_t block, const at::Tensor& x, const at::Tensor& y,
           Workspace<T>& work) const {
    const int64_t row = product_.first_row + block / BlocksOfRow();
    const int64_t first = block % BlocksOfRow() * kBlock;
    const T* const from = x.data_ptr<T>() + row * x.stride(0) + first * in_;
    T* const to = y.data_ptr<T>() + row * y.stride(0) + first * out_;
    const int64_t count = std::min(kBlock, places_ - first);
    const int64_t width = RoundUp(rank_, kPanel);
    work.h.resize(kBlock * width);
    float* const sums = work.sums.data();
    T* const h = work.h.data();
    for (int64_t r = 0; r < rank_; r += kPanel) {
      const int64_t columns = Columns(rank_ - r);
      MultiplyPanel(from, in_, count, in_, down_.data() + r * in_, columns,
                    sums, kPanel);
      for (int64_t i = 0; i < count; ++i) {
        Round(sums + i * kPanel, columns, h + i * width + r);
      }
    }
    const auto scale = static_cast<float>(product_.scale);
    const int64_t depth = RoundUp(rank_, kGroup<T>);
    for (int64_t o = 0; o < out_; o += kPanel) {
      MultiplyPanel<T>(h, width, count, depth, up_.data() + o * depth,
                       Columns(out_ - o), sums, kPanel);
      for (int64_t i = 0; i < count; ++i) {
        AddScaled(sums + i * kPanel, scale, std::min(kPanel, out_ - o),
                  to + i * out_ + o);
      }
    }
  }

 private:
  static int64_t Columns(int64_t left) {
    return std::min(kPanel, RoundUp(left, kLeastColumns));
  }
  int64_t BlocksOfRow() const { return (places_ + kBlock - 1) / kBlock; }

  const LowRankProduct& product_;
  const int64_t in_, rank_, out_;
  const int64_t places_;  // of a row
  std::vector<T> down_, up_;
};

template <typename T>
void AddAll(const std::vector<LowRankProduct>& products, const at::Tensor& x,
            const at::Tensor& y) {
  const int64_t places = x.numel() / (x.size(0) * x.size(-1));
  std::vector<Product<T>> packed;
  std::vector<int64_t> ends;  // of their blocks, in a row
  for (const LowRankProduct& product : products) {
    packed.emplace_back(product, places);
    ends.push_back((ends.empty() ? 0 : ends.back()) + packed.back().blocks());
  }
  at::parallel_for(0, std::ssize(packed), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) packed[i].Pack();
  });
  at::parallel_for(0, ends.back(), 1, [&](int64_t begin, int64_t end) {
    Workspace<T> work;
    for (int64_t block = begin; block < end; ++block) {
      const auto k =
          std::upper_bound(ends.begin(), ends.end(), block) - ends.begin();
      packed[k].Add(block - (k == 0 ? 0 : ends[k - 1]), x, y, work);
    }
    ReleasePanels<T>();
  });
}

// Rows may lie apart, as parts of longer ones: asked of all, a row alone would
// be taken where the same row in company is not.
bool HasWholeRows(const at::Tensor& t) {
  return t.size(0) > 0 && t.narrow(0, 0, 1).is_contiguous();
}

}  // namespace

bool CanAddLowRank(const at::Tensor& x, const at::Tensor& y) {
  return x.is_cpu() && HasWholeRows(x) && HasWholeRows(y) &&
         x.scalar_type() == y.scalar_type() &&
         CanMultiplyPanels(x.scalar_type(), x.size(-1));
}

void AddLowRank(const std::vector<LowRankProduct>& products,
                const at::Tensor& x, const at::Tensor& y) {
  if (products.empty() || x.numel() == 0) return;
  for (const LowRankProduct& p : products) {
    TORCH_CHECK(
        p.down.dim() == 2 && p.up.dim() == 2 && p.down.size(1) == x.size(-1) &&
            p.up.size(0) == y.size(-1) && p.up.size(1) == p.down.size(0) &&
            p.down.stride(1) == 1 && p.up.stride(1) == 1 && p.first_row >= 0 &&
            p.first_row + p.rows <= x.size(0) && x.size(0) == y.size(0) &&
            p.down.scalar_type() == x.scalar_type() &&
            p.up.scalar_type() == x.scalar_type(),
        "low rank: down ", p.down.sizes(), " and up ", p.up.sizes(),
        " do not fit x ", x.sizes(), " and y ", y.sizes());
  }
  if (x.scalar_type() == at::kFloat) return AddAll<float>(products, x, y);
  AddAll<BFloat16>(products, x, y);
}

}  // namespace genzo
