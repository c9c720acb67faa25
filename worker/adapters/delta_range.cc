#include "worker/adapters/delta_range.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "c10/util/BFloat16.h"
#include "c10/util/Half.h"

namespace genzo {
namespace {

double LargestOf(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0 : tensor.abs().max().item<double>();
}

// Of [n, m] the largest norm of a row, or of a column.
double LargestNorm(const at::Tensor& matrix, int64_t summed_dimension) {
  return LargestOf(matrix.norm(2, {summed_dimension}));
}

double RootOfRange(at::ScalarType dtype) {
  const double most = dtype == at::kHalf
                          ? double{std::numeric_limits<c10::Half>::max()}
                      : dtype == at::kBFloat16
                          ? double{std::numeric_limits<c10::BFloat16>::max()}
                          : double{std::numeric_limits<float>::max()};
  return std::floor(std::sqrt(most));
}

// False of what is no number, too.
absl::Status AtMost(const char* what, double value, double limit,
                    const std::string& why) {
  if (value <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " ", value, ", the limit is ", limit, why));
}

double LargestAdded(const LayerDelta& delta) {
  const double own = delta.whole.defined()
                         ? LargestOf(delta.whole)
                         : LargestNorm(delta.up.flatten(1), 1) *
                               LargestNorm(delta.down.flatten(1), 0);
  return own * std::abs(delta.scale);
}

}  // namespace

absl::Status CheckRange(const LayerDelta& delta, const at::Tensor& magnitude,
                        at::ScalarType dtype) {
  const std::string of_type = absl::StrCat(" of ", c10::toString(dtype));
  absl::Status status;
  for (const at::Tensor& factor : {delta.down, delta.up, delta.whole}) {
    if (!factor.defined()) continue;
    status.Update(AtMost("has a value of", LargestOf(factor),
                         RootOfRange(dtype), of_type));
  }
  if (status.ok()) {
    status = AtMost("may add to a weight", LargestAdded(delta), kMostAdded, "");
  }
  if (status.ok() && delta.bias.defined()) {
    status =
        AtMost("adds to an output",
               LargestOf(delta.bias) * std::abs(delta.scale), kMostAdded, "");
  }
  if (status.ok() && magnitude.defined()) {
    status =
        AtMost("gives weights a norm of", LargestOf(magnitude), kMostAdded, "");
  }
  return status;
}

}  // namespace genzo
