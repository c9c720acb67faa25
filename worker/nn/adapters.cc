#include "worker/nn/adapters.h"

#include <algorithm>

#include "ATen/ops/bmm.h"
#include "ATen/ops/linear.h"
#include "worker/kernels/low_rank.h"

namespace genzo {
namespace {

// y += scale * h w^T, without a temporary of y's size where that can be.
void AddProduct(const at::Tensor& h, const at::Tensor& w, double scale,
                const at::Tensor& y) {
  if (!y.is_contiguous()) {
    y.add_(at::linear(h, w), scale);
    return;
  }
  y.view({-1, y.size(-1)})
      .addmm_(h.reshape({-1, h.size(-1)}), w.t(), /*beta=*/1, scale);
}

}  // namespace

EvalContext::EvalContext(std::vector<AdapterSegment> segments)
    : segments_(std::move(segments)) {
  segments_.erase(std::remove_if(segments_.begin(), segments_.end(),
                                 [](const AdapterSegment& segment) {
                                   return segment.adapters == nullptr ||
                                          segment.adapters->layers.empty();
                                 }),
                  segments_.end());
}

bool EvalContext::HasDelta(const std::string& layer) const {
  if (rows_ != nullptr) return rows_->count(layer) > 0;
  return std::any_of(segments_.begin(), segments_.end(),
                     [&](const AdapterSegment& segment) {
                       return segment.adapters->layers.count(layer) > 0;
                     });
}

std::vector<bool> EvalContext::AdaptedRows(const std::string& layer,
                                           int64_t rows) const {
  std::vector<bool> adapted(static_cast<size_t>(rows), rows_ != nullptr);
  ForSegments(layer, [&](const AdapterSegment& segment, const auto&) {
    std::fill_n(adapted.begin() + segment.first_row, segment.rows, true);
  });
  return adapted;
}

EvalContext EvalContext::OfRow(int64_t row) const {
  std::vector<AdapterSegment> segments;
  for (const AdapterSegment& segment : segments_) {
    if (row < segment.first_row || row >= segment.first_row + segment.rows) {
      continue;
    }
    segments.push_back(
        {.first_row = 0, .rows = 1, .adapters = segment.adapters});
  }
  if (rows_ == nullptr) return EvalContext(std::move(segments));
  auto layers = std::make_shared<Layers>();
  for (const auto& [name, all] : *rows_) {
    for (const RowDeltas& deltas : all) {
      (*layers)[name].push_back(
          {deltas.down.narrow(0, row, 1), deltas.up.narrow(0, row, 1)});
    }
  }
  return EvalContext(std::move(layers));
}

const EvalContext& NoAdapters() {
  static const EvalContext* const none = new EvalContext();
  return *none;
}

bool AreProducts(const std::vector<LayerDelta>& deltas) {
  return std::all_of(deltas.begin(), deltas.end(), [](const LayerDelta& delta) {
    return delta.down.defined() && !delta.whole.defined() &&
           !delta.gain.defined() && !delta.bias.defined();
  });
}

bool AddProducts(const EvalContext& context, const std::string& layer,
                 int64_t first_out, const at::Tensor& x, const at::Tensor& y) {
  if (!CanAddLowRank(x, y)) return false;
  // The first of every row, then the second: products in one pass have no row
  // in common.
  for (size_t k = 0;; ++k) {
    std::vector<LowRankProduct> products;
    context.ForSegments(layer, [&](const AdapterSegment& segment,
                                   const std::vector<LayerDelta>& deltas) {
      if (k >= deltas.size() || !AreProducts(deltas)) return;
      products.push_back(
          {.down = deltas[k].down.flatten(1),
           .up = deltas[k].up.flatten(1).narrow(0, first_out, y.size(-1)),
           .scale = deltas[k].scale,
           .first_row = segment.first_row,
           .rows = segment.rows});
    });
    if (products.empty()) return true;
    AddLowRank(products, x, y);
  }
}

void AddDelta(const LayerDelta& delta, int64_t first_out, const at::Tensor& x,
              const at::Tensor& y) {
  const auto own = [&](const at::Tensor& weight) {
    return weight.flatten(1).narrow(0, first_out, y.size(-1));
  };
  if (delta.whole.defined()) {
    AddProduct(x, own(delta.whole), delta.scale, y);
  }
  if (delta.down.defined()) {
    AddProduct(at::linear(x, delta.down.flatten(1)), own(delta.up), delta.scale,
               y);
  }
  if (delta.bias.defined()) {
    y.add_(delta.bias.narrow(0, first_out, y.size(-1)), delta.scale);
  }
}

void AddDelta(const RowDeltas& delta, int64_t first_out, const at::Tensor& x,
              const at::Tensor& y) {
  const int64_t rows = x.size(0);
  const at::Tensor h = at::bmm(x.reshape({rows, -1, x.size(-1)}),
                               delta.down.flatten(2).transpose(1, 2));
  const at::Tensor up =
      delta.up.narrow(1, first_out, y.size(-1)).transpose(1, 2);
  if (y.is_contiguous()) {
    y.view({rows, -1, y.size(-1)}).baddbmm_(h, up);
  } else {
    y.add_(at::bmm(h, up).view_as(y));
  }
}

}  // namespace genzo
