#include "worker/kernels/onednn.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "ATen/Context.h"
#include "ATen/Parallel.h"
#include "ATen/core/dispatch/Dispatcher.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/full_like.h"
#include "ATen/ops/zeros_like.h"
#include "worker/kernels/row_bits.h"

namespace genzo {
namespace {

using Scalars = torch::List<std::optional<at::Scalar>>;
using Text = std::string_view;

// Typed handles are looked up once each.
template <typename Signature>
c10::TypedOperatorHandle<Signature> Operator(const char* name,
                                             const char* overload) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name, overload)
      .typed<Signature>();
}

// For the kernels that a layer generates and what it notes down meanwhile.
constexpr size_t kSpareBytes = size_t{64} << 20;

// oneDNN generates kernels when it meets a shape for the first time, and calls
// some of them without having looked whether there was memory for them. Where
// the address space is limited, that ends in a call of nothing: so the layer is
// refused before. Without such a limit an allocation of this kind never fails.
void CheckAddressSpace(int64_t result_bytes) {
  rlimit limit = {};
  const bool limited =
      getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  if (!limited) return;
  const size_t bytes = kSpareBytes + 2 * static_cast<size_t>(result_bytes);
  void* const space =
      mmap(nullptr, bytes, PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, /*fd=*/-1, 0);
  TORCH_CHECK_WITH(OutOfMemoryError, space != MAP_FAILED, "less than ", bytes,
                   " bytes of address space are left");
  munmap(space, bytes);
}

// Of a layer's result, which has as many rows or places as `x`.
int64_t ResultBytes(const at::Tensor& x, int64_t in, int64_t out) {
  return x.numel() / std::max<int64_t>(in, 1) * out * x.element_size();
}

std::optional<at::Tensor> Optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

bool CanPack(const at::Tensor& weight) {
  static const bool enabled =
      at::globalContext().userEnabledMkldnn() && at::Context::hasMKLDNN();
  static const bool avx512 = __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") &&
                             __builtin_cpu_supports("avx512dq");
  if (!enabled || !weight.is_cpu() || weight.numel() == 0) return false;
  return weight.scalar_type() == at::kFloat ||
         (weight.scalar_type() == at::kBFloat16 && avx512);
}

at::Tensor PackLinear(const at::Tensor& weight) {
  static const auto op =
      Operator<at::Tensor(const at::Tensor&, std::optional<int64_t>)>(
          "mkldnn::_reorder_linear_weight", "");
  return op.call(weight.contiguous(), std::nullopt);
}

at::Tensor PackConv2d(const at::Tensor& weight, const ConvGeometry& geometry) {
  static const auto op =
      Operator<at::Tensor(const at::Tensor&, at::IntArrayRef, at::IntArrayRef,
                          at::IntArrayRef, int64_t, at::OptionalIntArrayRef)>(
          "mkldnn::_reorder_convolution_weight", "");
  const int64_t padding[] = {geometry.padding, geometry.padding};
  const int64_t stride[] = {geometry.stride, geometry.stride};
  const int64_t dilation[] = {1, 1};
  return op.call(weight.contiguous(), padding, stride, dilation, /*groups=*/1,
                 std::nullopt);
}

namespace {

// Layers whose rows have more multiplications than this are large.
constexpr int64_t kLargeProducts = int64_t{1} << 26;

// Operations as they stand in a LayerKey.
enum class Operation { kLinear, kLinearBinary, kConv, kConvAdd };

// What a layer's rows are computed with.
struct Layer {
  LayerKey key;                // but for the input
  std::vector<int64_t> sizes;  // of weights that Pack takes
  int64_t dim = 0;             // of x, over which sums run
  double neutral = 0;          // `other` that changes nothing
};

LayerKey KeyOf(const Layer& layer, const at::Tensor& x) {
  LayerKey key = layer.key;
  key.insert(key.end(), layer.sizes.begin(), layer.sizes.end());
  key.insert(key.end(), x.sizes().begin(), x.sizes().end());
  key.push_back(static_cast<int64_t>(x.scalar_type()));
  key.push_back(at::get_num_threads());
  return key;
}

// Whether compute(x, other, weight, bias) gives rows like those of x the bits
// that they have alone.
template <typename Compute, typename Pack>
bool TryRowBits(const Layer& layer, const at::Tensor& x,
                const at::Tensor& other, const at::Tensor& bias,
                const Compute& compute, const Pack& pack) {
  const at::ScalarType dtype = x.scalar_type();
  const at::Tensor weight =
      pack(PairedNumbers(layer.sizes, /*dim=*/1, /*sign=*/1, dtype));
  const at::Tensor numbers =
      PairedNumbers(x.sizes(), layer.dim, /*sign=*/-1, dtype)
          .contiguous(x.suggest_memory_format());
  const at::Tensor neutral =
      other.defined() ? at::full_like(other, layer.neutral) : other;
  const at::Tensor none = bias.defined() ? at::zeros_like(bias) : bias;
  const auto rows = [&](const at::Tensor& some, const at::Tensor& others) {
    return compute(some, others, weight, none);
  };
  return at::equal(rows(numbers, neutral), OneByOne(numbers, neutral, rows));
}

// compute(x, other, weight, bias) so that a row of x has the same bits in any
// company.
template <typename Compute, typename Pack>
at::Tensor KeepingRowBits(const Layer& layer, const at::Tensor& x,
                          const at::Tensor& other, const at::Tensor& weight,
                          const at::Tensor& bias, const Compute& compute,
                          const Pack& pack) {
  const auto rows = [&](const at::Tensor& some, const at::Tensor& others) {
    return compute(some, others, weight, bias);
  };
  if (x.dim() < 2 || x.size(0) < 2) return rows(x, other);
  LayerKey key = KeyOf(layer, x);
  std::optional<bool> keeps = KeepsRowBits(key);
  if (!keeps.has_value()) {
    int64_t products = x.numel() / x.size(0) / x.size(layer.dim);
    for (const int64_t size : layer.sizes) products *= size;
    const bool large = products > kLargeProducts;
    if (large && !MayTryLargeLayer()) return OneByOne(x, other, rows);
    const auto begin = std::chrono::steady_clock::now();
    keeps = TryRowBits(layer, x, other, bias, compute, pack);
    if (large) TriedLargeLayer(std::chrono::steady_clock::now() - begin);
    SetKeepsRowBits(std::move(key), *keeps);
  }
  return *keeps ? rows(x, other) : OneByOne(x, other, rows);
}

// oneDNN multiplies a single row in another order than the rows of a matrix: it
// gets a copy for company.
bool IsSingleRow(const at::Tensor& x) { return x.numel() == x.size(-1); }

template <typename Compute>
at::Tensor WithACopy(const at::Tensor& x, const at::Tensor& other,
                     const Compute& compute) {
  const auto doubled = [](const at::Tensor& t) {
    return t.defined() ? t.reshape({1, -1}).expand({2, -1}).contiguous() : t;
  };
  const at::Tensor y = compute(doubled(x), doubled(other));
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = y.size(-1);
  return y.narrow(0, 0, 1).reshape(sizes);
}

// Of linear layers, `call` of rows, others, weight and bias.
template <typename Call>
at::Tensor RunLinear(Operation operation, const std::string& name,
                     const at::Tensor& x, const at::Tensor& other,
                     const at::Tensor& weight, const at::Tensor& bias,
                     const Call& call) {
  CheckAddressSpace(ResultBytes(x, x.size(-1), weight.size(0)));
  const Layer layer = {
      .key = {static_cast<int64_t>(operation), name[0], bias.defined()},
      .sizes = {weight.size(0), x.size(-1)},
      .dim = x.dim() - 1,
      .neutral = name == "mul" ? 1.0 : 0.0};
  return KeepingRowBits(
      layer, x, other, weight, bias,
      [&](const at::Tensor& rows, const at::Tensor& others,
          const at::Tensor& packed, const at::Tensor& added) {
        const auto compute = [&](const at::Tensor& a, const at::Tensor& b) {
          return call(a, b, packed, added);
        };
        return IsSingleRow(rows) ? WithACopy(rows, others, compute)
                                 : compute(rows, others);
      },
      PackLinear);
}

// The same of convolutions.
template <typename Call>
at::Tensor RunConv2d(Operation operation, const std::string& name,
                     const at::Tensor& x, const at::Tensor& other,
                     const at::Tensor& weight, const at::Tensor& bias,
                     const ConvGeometry& geometry, const Call& call) {
  CheckAddressSpace(ResultBytes(x, x.size(1), weight.size(0)));
  const Layer layer = {
      .key = {static_cast<int64_t>(operation), name[0], bias.defined(),
              geometry.stride, geometry.padding},
      .sizes = {weight.size(0), x.size(1), geometry.kernel, geometry.kernel},
      .dim = 1};
  return KeepingRowBits(
      layer, x, other, weight, bias, call,
      [&](const at::Tensor& plain) { return PackConv2d(plain, geometry); });
}

}  // namespace

at::Tensor PackedLinear(const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const std::string& activation) {
  static const auto op = Operator<at::Tensor(
      const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
      Text, Scalars, std::optional<Text>)>("mkldnn::_linear_pointwise", "");
  return RunLinear(Operation::kLinear, activation, x, /*other=*/{}, weight,
                   bias,
                   [&](const at::Tensor& rows, const at::Tensor& /*others*/,
                       const at::Tensor& packed, const at::Tensor& added) {
                     return op.call(rows, packed, Optional(added), activation,
                                    Scalars(), "none");
                   });
}

at::Tensor PackedLinearBinary(const at::Tensor& x, const at::Tensor& weight,
                              const at::Tensor& bias, const at::Tensor& other,
                              const std::string& operation) {
  static const auto op =
      Operator<at::Tensor(const at::Tensor&, const at::Tensor&,
                          const at::Tensor&, const std::optional<at::Tensor>&,
                          Text)>("mkldnn::_linear_pointwise", "binary");
  return RunLinear(Operation::kLinearBinary, operation, x, other, weight, bias,
                   [&](const at::Tensor& rows, const at::Tensor& others,
                       const at::Tensor& packed, const at::Tensor& added) {
                     return op.call(rows, others, packed, Optional(added),
                                    operation);
                   });
}

at::Tensor PackedConv2d(const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const ConvGeometry& geometry,
                        const std::string& activation) {
  static const auto op = Operator<at::Tensor(
      const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
      at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, Text, Scalars,
      std::optional<Text>)>("mkldnn::_convolution_pointwise", "");
  const int64_t padding[] = {geometry.padding, geometry.padding};
  const int64_t stride[] = {geometry.stride, geometry.stride};
  const int64_t dilation[] = {1, 1};
  return RunConv2d(
      Operation::kConv, activation, x, /*other=*/{}, weight, bias, geometry,
      [&](const at::Tensor& rows, const at::Tensor& /*others*/,
          const at::Tensor& packed, const at::Tensor& added) {
        return op.call(rows, packed, Optional(added), padding, stride, dilation,
                       /*groups=*/1, activation, Scalars(), "none");
      });
}

at::Tensor PackedConv2dAdd(const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& bias, const at::Tensor& other,
                           const ConvGeometry& geometry) {
  static const auto op = Operator<at::Tensor(
      const at::Tensor&, const at::Tensor&, const at::Tensor&,
      const std::optional<at::Tensor>&, at::IntArrayRef, at::IntArrayRef,
      at::IntArrayRef, int64_t, Text, std::optional<at::Scalar>,
      std::optional<Text>, Scalars, std::optional<Text>)>(
      "mkldnn::_convolution_pointwise", "binary");
  const int64_t padding[] = {geometry.padding, geometry.padding};
  const int64_t stride[] = {geometry.stride, geometry.stride};
  const int64_t dilation[] = {1, 1};
  return RunConv2d(Operation::kConvAdd, "add", x, other, weight, bias, geometry,
                   [&](const at::Tensor& rows, const at::Tensor& others,
                       const at::Tensor& packed, const at::Tensor& added) {
                     return op.call(rows, others, packed, Optional(added),
                                    padding, stride, dilation, /*groups=*/1,
                                    "add", std::nullopt, std::nullopt,
                                    Scalars(), std::nullopt);
                   });
}

}  // namespace genzo
