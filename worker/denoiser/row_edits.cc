#include "worker/denoiser/row_edits.h"

namespace genzo {

const RowEdits& NoEdits() {
  static const RowEdits* const none = new RowEdits();
  return *none;
}

std::vector<int64_t> IdleRows(const RowEdits& edits, const std::string& layer) {
  std::vector<int64_t> rows;
  for (const RowEdit& edit : edits) {
    if (edit.idle.count(layer) == 0) continue;
    for (int64_t i = 0; i < edit.rows; ++i) rows.push_back(edit.first_row + i);
  }
  return rows;
}

void CopyRows(const std::vector<int64_t>& rows, const at::Tensor& from,
              const at::Tensor& to) {
  for (const int64_t row : rows) {
    to.narrow(0, row, 1).copy_(from.narrow(0, row, 1));
  }
}

}  // namespace genzo
