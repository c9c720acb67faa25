#include "worker/denoiser/row_adapters.h"

#include <map>
#include <string>
#include <utility>

#include "ATen/ops/cat.h"
#include "ATen/ops/zeros.h"
#include "absl/hash/hash.h"

namespace genzo {
namespace {

// The deltas of one row's layer as one, the scale in `up`.
LayerDelta Together(const std::vector<LayerDelta>& deltas) {
  std::vector<at::Tensor> down, up;
  for (const LayerDelta& delta : deltas) {
    down.push_back(delta.down);
    up.push_back(delta.up.flatten(1).mul(delta.scale));
  }
  return {.down = down.size() == 1 ? down[0] : at::cat(down),
          .up = up.size() == 1 ? up[0] : at::cat(up, 1)};
}

bool AreProductsAlone(const std::vector<LayerDelta>& deltas) {
  for (const LayerDelta& delta : deltas) {
    if (delta.whole.defined() || delta.gain.defined() || delta.bias.defined()) {
      return false;
    }
  }
  return true;
}

RowDeltas Zeros(const LayerDelta& like, int64_t rows, int64_t rank) {
  std::vector<int64_t> down = like.down.sizes().vec();
  down[0] = rank;
  down.insert(down.begin(), rows);
  return {.down = at::zeros(down, like.down.options()),
          .up = at::zeros({rows, like.up.size(0), rank}, like.up.options())};
}

}  // namespace

int64_t RankBucket(int64_t rank) {
  int64_t bucket = 4;
  while (bucket < rank) bucket *= 2;
  return bucket;
}

std::shared_ptr<const EvalContext::Layers> StackByRow(
    const EvalContext& adapters, int64_t rows) {
  std::map<std::string, std::map<int64_t, RowDeltas>> stacks;  // by bucket
  for (const AdapterSegment& segment : adapters.segments()) {
    for (const auto& [layer, deltas] : segment.adapters->layers) {
      if (!AreProductsAlone(deltas)) return nullptr;
      const LayerDelta own = Together(deltas);
      const int64_t rank = own.down.size(0);
      const int64_t bucket = RankBucket(rank);
      auto& by_bucket = stacks[layer];
      if (by_bucket.count(bucket) == 0) {
        by_bucket[bucket] = Zeros(own, rows, bucket);
      }
      const RowDeltas& stack = by_bucket[bucket];
      const int64_t first = segment.first_row;
      stack.down.narrow(0, first, segment.rows)
          .narrow(1, 0, rank)
          .copy_(own.down.unsqueeze(0));
      stack.up.narrow(0, first, segment.rows)
          .narrow(2, 0, rank)
          .copy_(own.up.unsqueeze(0));
    }
  }
  auto layers = std::make_shared<EvalContext::Layers>();
  for (const auto& [layer, by_bucket] : stacks) {
    for (const auto& [bucket, stack] : by_bucket) {
      (*layers)[layer].push_back(stack);
    }
  }
  return layers;
}

std::vector<at::Tensor> TensorsOf(const EvalContext::Layers& layers) {
  std::vector<at::Tensor> tensors;
  for (const auto& [layer, all] : layers) {
    for (const RowDeltas& deltas : all) {
      tensors.push_back(deltas.down);
      tensors.push_back(deltas.up);
    }
  }
  return tensors;
}

EvalContext::Layers LayersFrom(const EvalContext::Layers& like,
                               const std::vector<at::Tensor>& tensors) {
  EvalContext::Layers layers;
  size_t next = 0;
  for (const auto& [layer, all] : like) {
    for (size_t i = 0; i < all.size(); ++i, next += 2) {
      layers[layer].push_back({tensors[next], tensors[next + 1]});
    }
  }
  return layers;
}

int64_t NamesOf(const EvalContext::Layers& layers) {
  std::vector<std::pair<std::string, size_t>> names;
  for (const auto& [layer, all] : layers) names.emplace_back(layer, all.size());
  return static_cast<int64_t>(absl::HashOf(names));
}

}  // namespace genzo
