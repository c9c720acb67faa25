#include "worker/engine/batcher.h"

namespace genzo {

std::vector<int> Batcher::Pick(absl::Span<const Candidate> candidates) const {
  std::vector<int> picked;
  int rows = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].shape != candidates[0].shape) continue;
    const bool fits = rows + candidates[i].rows <= max_rows_;
    if (!fits && !picked.empty()) continue;
    picked.push_back(static_cast<int>(i));
    rows += candidates[i].rows;
  }
  return picked;
}

}  // namespace genzo
