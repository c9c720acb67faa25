#include "worker/kernels/row_bits.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "ATen/CPUGeneratorImpl.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/exp2.h"
#include "ATen/ops/index_select.h"
#include "ATen/ops/mul.h"
#include "ATen/ops/randint.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/randperm.h"
#include "ATen/ops/zeros.h"
#include "c10/util/accumulate.h"

namespace genzo {
namespace {

struct Table {
  std::mutex mutex;
  // Guarded by mutex.
  std::map<LayerKey, bool> keeps;
  std::chrono::steady_clock::time_point next_large;
};

thread_local int trying = 0;

// Of the time in which large layers are not tried to that in which they are.
constexpr int kTimesBetween = 9;

// Random numbers are few and repeated: to draw as many as a large layer has
// would take longer than the layer. A prime, so that they fall otherwise into
// every row.
constexpr int64_t kNumbers = 65521;
constexpr int64_t kOctaves = 12;

Table& TheTable() {
  static Table& table = *new Table();
  return table;
}

// Of all sizes: sums of bfloat16 numbers of one size are exact.
const at::Tensor& Numbers() {
  static const at::Tensor& numbers = *new at::Tensor([] {
    auto random = at::detail::createCPUGenerator(/*seed_val=*/1);
    return at::randn({kNumbers}, random) *
           at::exp2(-at::randint(kOctaves, {kNumbers}, random));
  }());
  return numbers;
}

}  // namespace

std::optional<bool> KeepsRowBits(const LayerKey& key) {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  const auto found = table.keeps.find(key);
  return found == table.keeps.end() ? std::nullopt
                                    : std::optional(found->second);
}

void SetKeepsRowBits(LayerKey key, bool keeps) {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  table.keeps[std::move(key)] = keeps;
}

std::vector<std::pair<LayerKey, bool>> AllRowBits() {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  return {table.keeps.begin(), table.keeps.end()};
}

size_t RowBitsCount() {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  return table.keeps.size();
}

bool MayTryLargeLayer() {
  if (TryingRowBits::Now()) return true;
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  return std::chrono::steady_clock::now() >= table.next_large;
}

void TriedLargeLayer(std::chrono::steady_clock::duration took) {
  Table& table = TheTable();
  const std::lock_guard lock(table.mutex);
  table.next_large = std::chrono::steady_clock::now() + kTimesBetween * took;
}

TryingRowBits::TryingRowBits() { ++trying; }
TryingRowBits::~TryingRowBits() { --trying; }
bool TryingRowBits::Now() { return trying > 0; }

at::Tensor PairedNumbers(at::IntArrayRef sizes, int64_t dim, int sign,
                         at::ScalarType dtype) {
  const int64_t count = sizes[dim];
  std::vector<int64_t> halved = sizes.vec();
  halved[dim] = count / 2;
  const int64_t needed = c10::multiply_integers(halved);
  const at::Tensor half = Numbers()
                              .narrow(0, 0, std::min(needed, kNumbers))
                              .to(dtype)
                              .repeat({needed / kNumbers + 1})
                              .narrow(0, 0, needed)
                              .view(halved);
  halved[dim] = count % 2;
  const at::Tensor all =
      at::cat({half, half.mul(sign), at::zeros(halved, dtype)}, dim);
  // Pairs lie anywhere, the same on every call of that count.
  auto places = at::detail::createCPUGenerator(/*seed_val=*/2);
  return all.index_select(dim, at::randperm(count, places));
}

}  // namespace genzo
