#include "worker/kernels/winograd.h"

#include <algorithm>
#include <memory>

#include "ATen/Parallel.h"
#include "ATen/native/CPUBlas.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/kron.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/zeros.h"
#include "worker/kernels/lanes.h"

namespace genzo {
namespace {

namespace cpublas = at::native::cpublas;

// Places of a tile of the result, and those of x that they see; products.
constexpr int64_t kSide = 2;
constexpr int64_t kSeenSide = 4;
constexpr int64_t kProducts = kSeenSide * kSeenSide;
// Tiles that are multiplied together, and columns of a matrix of weights: what
// a core's cache holds.
constexpr int64_t kTiles = 64;
constexpr int64_t kPanel = 64;
constexpr int64_t kMostWeights = int64_t{1} << 19;  // in x out

// Sizes of one call.
struct Extent {
  int64_t rows, in, out, height, width;

  int64_t tiles_across() const { return (width + kSide - 1) / kSide; }
  // Of one row.
  int64_t tiles() const {
    return (height + kSide - 1) / kSide * tiles_across();
  }
  int64_t places() const { return height * width; }
  // Of all rows.
  int64_t blocks() const { return (rows * tiles() + kTiles - 1) / kTiles; }
  int64_t panels() const { return (out + kPanel - 1) / kPanel; }
};

// [B, H, W, channels].
struct Maps {
  const float* x;
  const float* other;  // or null
  float* y;
};

// One thread's memory.
struct Workspace {
  explicit Workspace(const Extent& extent)
      : seen(new float[kProducts * kTiles * extent.in]),
        sums(new float[kProducts * kTiles * extent.out]),
        outside(new float[extent.out]) {}

  std::unique_ptr<float[]> seen;     // [16, kTiles, in]
  std::unique_ptr<float[]> sums;     // [16, kTiles, out]
  std::unique_ptr<float[]> outside;  // results beyond the map's edge
};

// Tiles `first` to `first + count`, one row's behind another's, and the panels
// of `out` from `panel` to `panel_end`.
struct Block {
  int64_t first, count;
  int64_t panel, panel_end;
};

// Where a tile begins.
struct Corner {
  int64_t row, y, x;
};

class Convolution {
 public:
  Convolution(const Extent& extent, const Maps& maps, const float* weight,
              const float* bias, bool relu)
      : extent_(extent),
        maps_(maps),
        weight_(weight),
        zeros_(at::zeros({std::max(extent.in, extent.out)})),
        bias_(bias == nullptr ? zeros() : bias),
        relu_(relu) {}

  void Compute(const Block& block, const Workspace& work) const {
    for (int64_t tile = 0; tile < block.count; ++tile) {
      See(CornerOf(block.first + tile), work.seen.get() + tile * extent_.in);
    }
    Multiply(block, work);
    for (int64_t tile = 0; tile < block.count; ++tile) {
      Finish(CornerOf(block.first + tile), block, tile, work);
    }
  }

 private:
  Corner CornerOf(int64_t tile) const {
    const int64_t own = tile % extent_.tiles();
    return {.row = tile / extent_.tiles(),
            .y = own / extent_.tiles_across() * kSide,
            .x = own % extent_.tiles_across() * kSide};
  }

  // The place of a row's map, among all places; -1 outside.
  int64_t Place(const Corner& corner, int64_t down, int64_t right) const {
    const int64_t y = corner.y + down;
    const int64_t x = corner.x + right;
    const bool inside =
        y >= 0 && y < extent_.height && x >= 0 && x < extent_.width;
    return inside ? corner.row * extent_.places() + y * extent_.width + x : -1;
  }

  void See(const Corner& corner, float* seen) const {
    const float* places[kProducts];
    for (int64_t i = 0; i < kProducts; ++i) {
      const int64_t place = Place(corner, i / kSeenSide - 1, i % kSeenSide - 1);
      places[i] = place < 0 ? zeros() : maps_.x + place * extent_.in;
    }
    BestLanes().winograd_see(places, extent_.in, kTiles * extent_.in, seen);
  }

  void Multiply(const Block& block, const Workspace& work) const {
    const int64_t in = extent_.in;
    const int64_t out = extent_.out;
    for (int64_t i = 0; i < kProducts; ++i) {
      const float* const weight = weight_ + i * in * out;
      for (int64_t panel = block.panel; panel < block.panel_end; ++panel) {
        const int64_t first = panel * kPanel;
        const int64_t width = std::min(kPanel, out - first);
        cpublas::brgemm(block.count, width, in, /*ld_a=*/in, /*ld_b=*/width,
                        /*ld_c=*/out, /*add_C=*/false,
                        work.seen.get() + i * kTiles * in, weight + first * in,
                        work.sums.get() + i * kTiles * out + first,
                        /*is_vnni=*/false);
      }
    }
  }

  void Finish(const Corner& corner, const Block& block, int64_t tile,
              const Workspace& work) const {
    const int64_t first = block.panel * kPanel;
    WinogradTile to = {
        .bias = bias_ + first,
        .channels = std::min(block.panel_end * kPanel, extent_.out) - first,
        .relu = relu_};
    for (int64_t i = 0; i < kSide * kSide; ++i) {
      const int64_t place = Place(corner, i / kSide, i % kSide);
      const int64_t begin = place * extent_.out + first;
      to.places[i] = place < 0 ? work.outside.get() : maps_.y + begin;
      to.others[i] = maps_.other == nullptr ? nullptr
                     : place < 0            ? zeros()
                                            : maps_.other + begin;
    }
    BestLanes().winograd_finish(work.sums.get() + tile * extent_.out + first,
                                kTiles * extent_.out, to);
  }

  const float* zeros() const { return zeros_.const_data_ptr<float>(); }

  const Extent extent_;
  const Maps maps_;
  const float* const weight_;
  const at::Tensor zeros_;  // a place outside the map
  const float* const bias_;
  const bool relu_;
};

const float* DataOf(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

}  // namespace

bool CanWinograd(const at::Tensor& weight, const ConvGeometry& geometry) {
  if (geometry.kernel != 3 || geometry.stride != 1 || geometry.padding != 1 ||
      weight.dim() != 4 || weight.scalar_type() != at::kFloat ||
      !CanPack(weight) || !__builtin_cpu_supports("avx2")) {
    return false;
  }
  const int64_t out = weight.size(0);
  const int64_t in = weight.size(1);
  return in >= 16 && out >= 16 && out % 16 == 0 && in * out <= kMostWeights;
}

at::Tensor PackWinograd(const at::Tensor& weight) {
  const int64_t out = weight.size(0);
  const int64_t in = weight.size(1);
  const at::Tensor g =
      at::tensor({1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0.0, 0.0, 1.0},
                 at::kFloat)
          .view({kSeenSide, 3});
  const at::Tensor whole =
      at::matmul(weight.reshape({out * in, 9}), at::kron(g, g).t())
          .view({out, in, kProducts})
          .permute({2, 1, 0});  // [16, in, out]
  at::Tensor packed = at::empty({kProducts, in * out}, weight.options());
  for (int64_t first = 0; first < out; first += kPanel) {
    const int64_t width = std::min(kPanel, out - first);
    packed.narrow(1, first * in, width * in)
        .view({kProducts, in, width})
        .copy_(whole.narrow(2, first, width));
  }
  return packed.view({kProducts, in, out});
}

at::Tensor WinogradConv2d(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias, const at::Tensor& other,
                          bool relu) {
  TORCH_CHECK(x.dim() == 4 && x.size(1) == weight.size(1) &&
                  x.scalar_type() == at::kFloat,
              "convolution: x ", x.sizes(), " does not fit ", weight.size(1),
              " channels");
  const Extent extent = {.rows = x.size(0),
                         .in = x.size(1),
                         .out = weight.size(2),
                         .height = x.size(2),
                         .width = x.size(3)};
  const auto last = at::MemoryFormat::ChannelsLast;
  const at::Tensor from = x.contiguous(last);
  const at::Tensor added = other.defined() ? other.contiguous(last) : other;
  const at::Tensor y =
      at::empty({extent.rows, extent.out, extent.height, extent.width},
                x.options().memory_format(last));
  const Convolution convolution(extent,
                                {.x = from.const_data_ptr<float>(),
                                 .other = DataOf(added),
                                 .y = y.mutable_data_ptr<float>()},
                                weight.const_data_ptr<float>(), DataOf(bias),
                                relu);
  // Of small maps, threads share the result's channels, too.
  const int64_t blocks = extent.blocks();
  const int64_t groups = std::clamp<int64_t>(
      (2 * at::get_num_threads() + blocks - 1) / std::max<int64_t>(blocks, 1),
      1, extent.panels());
  const int64_t tiles = extent.rows * extent.tiles();
  at::parallel_for(0, blocks * groups, 1, [&](int64_t begin, int64_t end) {
    const Workspace work(extent);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / groups * kTiles;
      const int64_t group = i % groups;
      convolution.Compute({.first = first,
                           .count = std::min(kTiles, tiles - first),
                           .panel = extent.panels() * group / groups,
                           .panel_end = extent.panels() * (group + 1) / groups},
                          work);
    }
    cpublas::brgemm_release(/*is_vnni=*/false);
  });
  return y;
}

}  // namespace genzo
