#ifndef GENZO_WORKER_DENOISER_ROW_ADAPTERS_H_
#define GENZO_WORKER_DENOISER_ROW_ADAPTERS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/nn/adapters.h"

namespace genzo {

// The rank that deltas of `rank` are filled up to with zeros, so that few sizes
// occur: the next power of two, at least 4.
int64_t RankBucket(int64_t rank);

// The deltas of all `rows` rows as tensors of fixed sizes: of every layer that
// any row adapts one pair for each rank bucket that occurs. A row's deltas are
// in the pair of its own bucket, whatever the others', so its bits are its own.
// Null where a delta is no product of two matrices, or more than one.
std::shared_ptr<const EvalContext::Layers> StackByRow(
    const EvalContext& adapters, int64_t rows);

// Both tensors of every pair, in order, and the way back from as many of other
// memory. `names` tells layers of equal sizes apart.
std::vector<at::Tensor> TensorsOf(const EvalContext::Layers& layers);
EvalContext::Layers LayersFrom(const EvalContext::Layers& like,
                               const std::vector<at::Tensor>& tensors);
int64_t NamesOf(const EvalContext::Layers& layers);

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_ROW_ADAPTERS_H_
