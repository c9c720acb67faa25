#ifndef GENZO_WORKER_NN_ADAPTERS_H_
#define GENZO_WORKER_NN_ADAPTERS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// What an adapter adds to one layer's weight W, at the weight that a request
// gives it: scale * up * down (LoRA, arXiv:2106.09685), or scale * whole where
// there is no such product, and gain * W, a factor for each output (DoRA,
// arXiv:2402.09353); and to its outputs scale * bias (PEFT's lora_bias). Of the
// layer's type and device.
struct LayerDelta {
  at::Tensor down = {};   // [rank, in], of a convolution [rank, in, k, k]
  at::Tensor up = {};     // [out, rank], of a convolution [out, rank, 1, 1]
  double scale = 1;       // alpha / rank, times the request's weight
  at::Tensor whole = {};  // [out, in], of a convolution [out, in, k, k]
  at::Tensor gain = {};   // [out]
  at::Tensor bias = {};   // [out]
};

// Whether they are products of two matrices and nothing else.
bool AreProducts(const std::vector<LayerDelta>& deltas);

// The deltas of one request, by the layer's name in the checkpoint
// ("mid_block.attentions.0.transformer_blocks.0.attn1.to_q"): of a layer one
// for each adapter that has it. Immutable.
struct AdapterSet {
  std::map<std::string, std::vector<LayerDelta>> layers;
};

// Rows of an evaluation that one set is for.
struct AdapterSegment {
  int64_t first_row = 0;
  int64_t rows = 0;
  std::shared_ptr<const AdapterSet> adapters;
};

// The deltas of a layer, a row a row of the evaluation: zeros for rows that
// have none. Tensors of a fixed size, so that what is recorded with them is
// right for whatever adapters they hold.
struct RowDeltas {
  at::Tensor down;  // [R, rank, in], of a convolution [R, rank, in, k, k]
  at::Tensor up;    // [R, out, rank], scaled
};

// What layers see besides their input: rows of one evaluation may belong to
// requests with different adapters, or with none. Without any, a layer does
// what it did without a context, in the same time.
class EvalContext {
 public:
  using Layers = std::map<std::string, std::vector<RowDeltas>>;

  EvalContext() = default;
  // Segments without layers are left out.
  explicit EvalContext(std::vector<AdapterSegment> segments);
  explicit EvalContext(std::shared_ptr<const Layers> rows)
      : rows_(std::move(rows)) {}

  bool empty() const { return segments_.empty() && rows_ == nullptr; }

  // Whether any row has a delta for that layer.
  bool Adapts(const std::string& layer) const {
    return !empty() && HasDelta(layer);
  }
  // Calls visit(segment, deltas) for the rows that have some for that layer.
  template <typename Visit>
  void ForSegments(const std::string& layer, const Visit& visit) const {
    for (const AdapterSegment& segment : segments_) {
      const auto found = segment.adapters->layers.find(layer);
      if (found != segment.adapters->layers.end()) {
        visit(segment, found->second);
      }
    }
  }
  // The same with parts of `x` and `y`, whose first dimension is the rows: on
  // a CPU with those of each row, whose bits would else depend on how many have
  // the same adapter. Without those that AddProducts() has `added`.
  template <typename Visit>
  void ForParts(const std::string& layer, bool added, const at::Tensor& x,
                const at::Tensor& y, const Visit& visit) const {
    ForSegments(layer, [&](const AdapterSegment& segment,
                           const std::vector<LayerDelta>& deltas) {
      if (added && AreProducts(deltas)) return;
      const int64_t rows = x.is_cpu() ? 1 : segment.rows;
      const int64_t end = segment.first_row + segment.rows;
      for (int64_t row = segment.first_row; row < end; row += rows) {
        visit(deltas, x.narrow(0, row, rows), y.narrow(0, row, rows));
      }
    });
  }
  // Calls visit(deltas) with those of all rows.
  template <typename Visit>
  void ForRows(const std::string& layer, const Visit& visit) const {
    if (rows_ == nullptr) return;
    const auto found = rows_->find(layer);
    if (found == rows_->end()) return;
    for (const RowDeltas& deltas : found->second) visit(deltas);
  }

  // Of `rows` rows, those that have a delta for that layer.
  std::vector<bool> AdaptedRows(const std::string& layer, int64_t rows) const;
  // What row `row` alone sees.
  EvalContext OfRow(int64_t row) const;

  const std::vector<AdapterSegment>& segments() const { return segments_; }
  const std::shared_ptr<const Layers>& rows() const { return rows_; }

 private:
  bool HasDelta(const std::string& layer) const;

  std::vector<AdapterSegment> segments_;
  std::shared_ptr<const Layers> rows_;
};

// Of layers that nobody adapts.
const EvalContext& NoAdapters();

// y [R, ..., out] += what products make of x [R, ..., in], of all rows in
// one pass (kernels/low_rank.h). False, and nothing is done, where that does
// not take these tensors.
bool AddProducts(const EvalContext& context, const std::string& layer,
                 int64_t first_out, const at::Tensor& x, const at::Tensor& y);

// y [..., out] += what the delta makes of x [..., in], but for its gain: the
// layer's own outputs are those from `first_out` on.
void AddDelta(const LayerDelta& delta, int64_t first_out, const at::Tensor& x,
              const at::Tensor& y);
// The same for x [R, ..., in] and y [R, ..., out].
void AddDelta(const RowDeltas& delta, int64_t first_out, const at::Tensor& x,
              const at::Tensor& y);

}  // namespace genzo

#endif  // GENZO_WORKER_NN_ADAPTERS_H_
