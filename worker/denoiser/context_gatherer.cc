#include "worker/denoiser/context_gatherer.h"

#include <algorithm>

#include "ATen/ops/cat.h"

namespace genzo {
namespace {

// One for each shape that is likely to be under way.
constexpr size_t kMaxKept = 4;

int64_t CountRows(const ContextGatherer::Contexts& contexts) {
  int64_t rows = 0;
  for (const auto& context : contexts) {
    rows += context->empty() ? 1 : context->front().k.size(0);
  }
  return rows;
}

std::shared_ptr<const TextContext> Join(
    const ContextGatherer::Contexts& contexts, int64_t padding) {
  const auto join = [padding](std::vector<at::Tensor> parts) {
    if (padding > 0) {
      const at::Tensor last = parts.back();
      parts.push_back(
          last.narrow(0, last.size(0) - 1, 1).expand({padding, -1, -1}));
    }
    return at::cat(parts);
  };
  auto joined = std::make_shared<TextContext>(contexts[0]->size());
  for (size_t layer = 0; layer < joined->size(); ++layer) {
    std::vector<at::Tensor> k;
    std::vector<at::Tensor> v;
    for (const auto& context : contexts) {
      k.push_back((*context)[layer].k);
      v.push_back((*context)[layer].v);
    }
    (*joined)[layer] = {join(std::move(k)), join(std::move(v))};
  }
  return joined;
}

}  // namespace

std::shared_ptr<const TextContext> ContextGatherer::Gather(
    const Contexts& contexts, int least_rows) {
  const int64_t padding = least_rows - CountRows(contexts);
  if (contexts.size() == 1 && padding <= 0) return contexts[0];
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
        return kept.parts == contexts && kept.least_rows == least_rows;
      });
  if (found != kept_.end()) return found->joined;
  kept_.push_front({contexts, least_rows, Join(contexts, padding)});
  if (kept_.size() > kMaxKept) kept_.pop_back();
  return kept_.front().joined;
}

}  // namespace genzo
