#ifndef GENZO_WORKER_NN_ROW_BY_ROW_H_
#define GENZO_WORKER_NN_ROW_BY_ROW_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/ops/cat.h"

namespace genzo {

// of(row) [1, ...] for each of `rows` rows, one after the other: [rows, ...].
// Products of few rows are added up in another order than those of more, so on
// a CPU this is how a row's bits do not depend on its company.
template <typename Of>
at::Tensor RowByRow(int64_t rows, const Of& of) {
  std::vector<at::Tensor> all;
  for (int64_t row = 0; row < rows; ++row) all.push_back(of(row));
  return at::cat(all);
}

}  // namespace genzo

#endif  // GENZO_WORKER_NN_ROW_BY_ROW_H_
