#include "worker/kernels/onednn.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "ATen/Context.h"
#include "ATen/core/dispatch/Dispatcher.h"

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

// oneDNN multiplies a single row in another order than the rows of a matrix, so
// that its bits would depend on its company: it gets a copy for company.
bool IsSingleRow(const at::Tensor& x) { return x.numel() == x.size(-1); }

at::Tensor Doubled(const at::Tensor& x) {
  return x.reshape({1, -1}).expand({2, -1}).contiguous();
}

at::Tensor FirstRow(const at::Tensor& y, const at::Tensor& x) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = y.size(-1);
  return y.narrow(0, 0, 1).reshape(sizes);
}

}  // namespace

at::Tensor PackedLinear(const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const std::string& activation) {
  if (IsSingleRow(x)) {
    return FirstRow(PackedLinear(Doubled(x), weight, bias, activation), x);
  }
  CheckAddressSpace(ResultBytes(x, x.size(-1), weight.size(0)));
  static const auto op = Operator<at::Tensor(
      const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
      Text, Scalars, std::optional<Text>)>("mkldnn::_linear_pointwise", "");
  return op.call(x, weight, Optional(bias), activation, Scalars(), "none");
}

at::Tensor PackedLinearBinary(const at::Tensor& x, const at::Tensor& weight,
                              const at::Tensor& bias, const at::Tensor& other,
                              const std::string& operation) {
  if (IsSingleRow(x)) {
    return FirstRow(
        PackedLinearBinary(Doubled(x), weight, bias, Doubled(other), operation),
        x);
  }
  CheckAddressSpace(ResultBytes(x, x.size(-1), weight.size(0)));
  static const auto op =
      Operator<at::Tensor(const at::Tensor&, const at::Tensor&,
                          const at::Tensor&, const std::optional<at::Tensor>&,
                          Text)>("mkldnn::_linear_pointwise", "binary");
  return op.call(x, other, weight, Optional(bias), operation);
}

at::Tensor PackedConv2d(const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const ConvGeometry& geometry,
                        const std::string& activation) {
  CheckAddressSpace(ResultBytes(x, x.size(1), weight.size(0)));
  static const auto op = Operator<at::Tensor(
      const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
      at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t, Text, Scalars,
      std::optional<Text>)>("mkldnn::_convolution_pointwise", "");
  const int64_t padding[] = {geometry.padding, geometry.padding};
  const int64_t stride[] = {geometry.stride, geometry.stride};
  const int64_t dilation[] = {1, 1};
  return op.call(x, weight, Optional(bias), padding, stride, dilation,
                 /*groups=*/1, activation, Scalars(), "none");
}

at::Tensor PackedConv2dAdd(const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& bias, const at::Tensor& other,
                           const ConvGeometry& geometry) {
  CheckAddressSpace(ResultBytes(x, x.size(1), weight.size(0)));
  static const auto op = Operator<at::Tensor(
      const at::Tensor&, const at::Tensor&, const at::Tensor&,
      const std::optional<at::Tensor>&, at::IntArrayRef, at::IntArrayRef,
      at::IntArrayRef, int64_t, Text, std::optional<at::Scalar>,
      std::optional<Text>, Scalars, std::optional<Text>)>(
      "mkldnn::_convolution_pointwise", "binary");
  const int64_t padding[] = {geometry.padding, geometry.padding};
  const int64_t stride[] = {geometry.stride, geometry.stride};
  const int64_t dilation[] = {1, 1};
  return op.call(x, other, weight, Optional(bias), padding, stride, dilation,
                 /*groups=*/1, "add", std::nullopt, std::nullopt, Scalars(),
                 std::nullopt);
}

}  // namespace genzo
