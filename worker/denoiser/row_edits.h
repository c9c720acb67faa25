#ifndef GENZO_WORKER_DENOISER_ROW_EDITS_H_
#define GENZO_WORKER_DENOISER_ROW_EDITS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"

// What a network does otherwise for single rows of an evaluation. The bits of
// the rows beside them stay as they are.

namespace genzo {

// What the text's layers gave one image, by the layer's name: of the mean over
// its rows, [1, L, D]. Written and read by the step thread alone.
using TextFeatures = std::map<std::string, at::Tensor>;

// Rows that belong together.
struct RowEdit {
  int64_t first_row = 0;
  int64_t rows = 1;
  // Layers by their names in the checkpoint: self-attentions in which every
  // place sees itself alone ("mid_block.attentions.0.transformer_blocks.0
  // .attn1"), or of the places itself and all of the text ("transformer_blocks
  // .7.attn"), or blocks that change nothing ("transformer_blocks.7").
  std::set<std::string> idle = {};
  // Where the text's layers leave what they give, as a mean over the rows; or
  // where it is taken from in their place, of those layers that are in it.
  std::shared_ptr<TextFeatures> keep = nullptr;
  std::shared_ptr<const TextFeatures> take = nullptr;
};
using RowEdits = std::vector<RowEdit>;

// Of rows that do nothing otherwise.
const RowEdits& NoEdits();

// The rows for which `layer` is idle, one by one.
std::vector<int64_t> IdleRows(const RowEdits& edits, const std::string& layer);

// Rows of `from` in place of those of `to`, [B, ...] both.
void CopyRows(const std::vector<int64_t>& rows, const at::Tensor& from,
              const at::Tensor& to);

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_ROW_EDITS_H_
