#include "worker/denoiser/prepared.h"

#include <algorithm>

#include "ATen/ops/cat.h"

namespace genzo {
namespace {

// One for each shape that is likely to be under way.
constexpr size_t kMaxKept = 4;

at::Tensor JoinOne(std::vector<at::Tensor> parts, int64_t padding) {
  if (padding > 0) {
    const at::Tensor last = parts.back();
    std::vector<int64_t> sizes = last.sizes().vec();
    sizes[0] = padding;
    parts.push_back(last.narrow(0, last.size(0) - 1, 1).expand(sizes));
  }
  return at::cat(parts);
}

PreparedRef JoinAll(const PreparedJoiner::Parts& parts, int64_t padding) {
  auto joined = std::make_shared<Prepared>();
  joined->rows = 0;
  std::vector<AdapterSegment> segments;
  for (const PreparedRef& part : parts) {
    for (AdapterSegment segment : part->adapters.segments()) {
      segment.first_row += joined->rows;
      segments.push_back(std::move(segment));
    }
    for (PicturePrompt picture : part->pictures) {
      picture.first_row += joined->rows;
      joined->pictures.push_back(std::move(picture));
    }
    joined->rows += part->rows;
  }
  joined->rows += padding;
  joined->adapters = EvalContext(std::move(segments));
  for (size_t i = 0; i < parts[0]->tensors.size(); ++i) {
    std::vector<at::Tensor> tensors;
    for (const PreparedRef& part : parts) tensors.push_back(part->tensors[i]);
    joined->tensors.push_back(JoinOne(std::move(tensors), padding));
  }
  return joined;
}

}  // namespace

PreparedRef PreparedAt(const PreparedRef& prepared, int steps_done) {
  PreparedRef now = prepared;
  for (const Prepared::Later& later : prepared->later) {
    if (later.first_step <= steps_done) now = later.prepared;
  }
  return now;
}

PreparedRef PreparedJoiner::Join(const Parts& parts, int padded_rows) {
  int64_t rows = 0;
  for (const PreparedRef& part : parts) rows += part->rows;
  const int64_t padding = std::max<int64_t>(0, padded_rows - rows);
  if (parts.size() == 1 && padding == 0) return parts[0];
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
        return kept.parts == parts && kept.padded_rows == padded_rows;
      });
  if (found != kept_.end()) return found->joined;
  kept_.push_front({parts, padded_rows, JoinAll(parts, padding)});
  if (kept_.size() > kMaxKept) kept_.pop_back();
  return kept_.front().joined;
}

}  // namespace genzo
