#ifndef GENZO_WORKER_NN_ADAPTERS_H_
#define GENZO_WORKER_NN_ADAPTERS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// What low-rank adaptation adds to a layer's weight (arXiv:2106.09685):
// scale * up * down. Of the layer's type and device.
struct LowRankDelta {
  at::Tensor down;   // [rank, in], of a convolution [rank, in, kernel, kernel]
  at::Tensor up;     // [out, rank], of a convolution [out, rank, 1, 1]
  double scale = 1;  // alpha / rank, times the weight that a request gives it
};

// The deltas of one request, by the layer's name in the checkpoint
// ("mid_block.attentions.0.transformer_blocks.0.attn1.to_q"). Immutable.
struct AdapterSet {
  std::map<std::string, LowRankDelta> layers;
};

// Rows of an evaluation that one set is for.
struct AdapterSegment {
  int64_t first_row = 0;
  int64_t rows = 0;
  std::shared_ptr<const AdapterSet> adapters;
};

// What layers see besides their input: rows of one evaluation may belong to
// requests with different adapters, or with none. Without segments a layer does
// what it did without a context, in the same time.
class EvalContext {
 public:
  EvalContext() = default;
  explicit EvalContext(std::vector<AdapterSegment> segments)
      : segments_(std::move(segments)) {}

  // Whether any row has a delta for that layer.
  bool Adapts(const std::string& layer) const {
    return !segments_.empty() && HasDelta(layer);
  }
  // Calls visit(segment, delta) for the rows that have one for that layer.
  template <typename Visit>
  void ForDeltas(const std::string& layer, const Visit& visit) const {
    for (const AdapterSegment& segment : segments_) {
      const auto found = segment.adapters->layers.find(layer);
      if (found != segment.adapters->layers.end()) {
        visit(segment, found->second);
      }
    }
  }

  const std::vector<AdapterSegment>& segments() const { return segments_; }

 private:
  bool HasDelta(const std::string& layer) const;

  std::vector<AdapterSegment> segments_;
};

// Of layers that nobody adapts.
const EvalContext& NoAdapters();

}  // namespace genzo

#endif  // GENZO_WORKER_NN_ADAPTERS_H_
