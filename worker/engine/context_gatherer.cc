#include "worker/engine/context_gatherer.h"

#include <algorithm>

#include "ATen/ops/cat.h"

namespace genzo {
namespace {

// One for each shape that is likely to be under way.
constexpr size_t kMaxKept = 4;

std::shared_ptr<const TextContext> Join(
    const ContextGatherer::Contexts& contexts) {
  auto joined = std::make_shared<TextContext>(contexts[0]->size());
  for (size_t layer = 0; layer < joined->size(); ++layer) {
    std::vector<at::Tensor> k;
    std::vector<at::Tensor> v;
    for (const auto& context : contexts) {
      k.push_back((*context)[layer].k);
      v.push_back((*context)[layer].v);
    }
    (*joined)[layer] = {at::cat(k), at::cat(v)};
  }
  return joined;
}

}  // namespace

std::shared_ptr<const TextContext> ContextGatherer::Gather(
    const Contexts& contexts) {
  if (contexts.size() == 1) return contexts[0];
  const auto found =
      std::find_if(kept_.begin(), kept_.end(),
                   [&](const Kept& kept) { return kept.parts == contexts; });
  if (found != kept_.end()) return found->joined;
  kept_.push_front({contexts, Join(contexts)});
  if (kept_.size() > kMaxKept) kept_.pop_back();
  return kept_.front().joined;
}

}  // namespace genzo
