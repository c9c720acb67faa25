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
    for (RowEdit edit : part->edits) {
      edit.first_row += joined->rows;
      joined->edits.push_back(std::move(edit));
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

// A piece for each time that one of its rows is named. `Rows` has first_row and
// rows.
template <typename Rows>
std::vector<Rows> PiecesOf(const std::vector<Rows>& all,
                           const std::vector<int64_t>& rows) {
  std::vector<Rows> pieces;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (Rows piece : all) {
      const int64_t end = piece.first_row + piece.rows;
      if (rows[i] < piece.first_row || rows[i] >= end) continue;
      piece.first_row = static_cast<int64_t>(i);
      piece.rows = 1;
      pieces.push_back(std::move(piece));
    }
  }
  return pieces;
}

// The same of pictures, whose keys and values have a row each.
std::vector<PicturePrompt> PicturesOf(const std::vector<PicturePrompt>& all,
                                      const std::vector<int64_t>& rows) {
  std::vector<PicturePrompt> pieces;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const PicturePrompt& picture : all) {
      const int64_t row = rows[i] - picture.first_row;
      if (row < 0 || row >= picture.rows) continue;
      auto layers = std::make_shared<std::vector<KeyValues>>();
      for (const KeyValues& layer : *picture.layers) {
        layers->push_back(
            {layer.k.narrow(0, row, 1), layer.v.narrow(0, row, 1)});
      }
      pieces.push_back({.first_row = static_cast<int64_t>(i),
                        .rows = 1,
                        .layers = std::move(layers),
                        .scale = picture.scale});
    }
  }
  return pieces;
}

}  // namespace

Prepared RowsOfPrepared(const Prepared& prepared,
                        const std::vector<int64_t>& rows) {
  Prepared chosen = {
      .rows = static_cast<int64_t>(rows.size()),
      .adapters = EvalContext(PiecesOf(prepared.adapters.segments(), rows)),
      .pictures = PicturesOf(prepared.pictures, rows),
      .edits = PiecesOf(prepared.edits, rows)};
  for (const at::Tensor& tensor : prepared.tensors) {
    std::vector<at::Tensor> parts;
    for (const int64_t row : rows) parts.push_back(tensor.narrow(0, row, 1));
    chosen.tensors.push_back(at::cat(parts));
  }
  for (const Prepared::Later& later : prepared.later) {
    chosen.later.push_back(
        {later.first_step, std::make_shared<const Prepared>(
                               RowsOfPrepared(*later.prepared, rows))});
  }
  return chosen;
}

Prepared WithEdits(const Prepared& prepared, const RowEdits& edits) {
  Prepared edited = prepared;
  edited.edits.insert(edited.edits.end(), edits.begin(), edits.end());
  for (Prepared::Later& later : edited.later) {
    later.prepared =
        std::make_shared<const Prepared>(WithEdits(*later.prepared, edits));
  }
  return edited;
}

PreparedRef InTurn(const std::vector<Prepared::Later>& parts) {
  if (parts.size() == 1) return parts[0].prepared;
  auto first = std::make_shared<Prepared>(*parts[0].prepared);
  first->later.assign(parts.begin() + 1, parts.end());
  return first;
}

PreparedRef PreparedFrom(const PreparedRef& prepared, int steps) {
  if (prepared->later.empty()) return prepared;
  auto from = std::make_shared<Prepared>(*PreparedAt(prepared, steps));
  from->later.clear();
  for (const Prepared::Later& later : prepared->later) {
    if (later.first_step <= steps) continue;
    from->later.push_back({later.first_step - steps, later.prepared});
  }
  return from;
}

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
