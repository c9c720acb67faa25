#ifndef GENZO_WORKER_ADAPTERS_DELTA_RANGE_H_
#define GENZO_WORKER_ADAPTERS_DELTA_RANGE_H_

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "worker/nn/adapters.h"

namespace genzo {

// Most that a delta may add to one weight, or to an output. Networks' own
// weights are a few units; behind some layers that add more, the squares that
// norms sum up leave float32's range, and bfloat16's, which is the same.
inline constexpr double kMostAdded = 1000;

// Whether a network of type `dtype` can compute with the delta at a weight of
// 1, `magnitude` being DoRA's or undefined. INVALID_ARGUMENT tells the value
// and the limit:
//
//   - of down, up and whole, the root of what the type holds, so that products
//     of two of them are in its range: 255 of float16
//   - of what comes out, kMostAdded. Of up * down that is judged by the norms
//     of their rows and columns, which are no less than the product's values.
absl::Status CheckRange(const LayerDelta& delta, const at::Tensor& magnitude,
                        at::ScalarType dtype);

}  // namespace genzo

#endif  // GENZO_WORKER_ADAPTERS_DELTA_RANGE_H_
