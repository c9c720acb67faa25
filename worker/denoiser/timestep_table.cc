#include "worker/denoiser/timestep_table.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"

namespace genzo {
namespace {

// 40 MB for Stable Diffusion 1.5. Samplers of a few step counts fit; when
// strange ones fill the table, it starts anew.
constexpr size_t kMaxRows = 512;

}  // namespace

at::Tensor TimestepTable::RowLocked(float timestep) {
  const auto found = rows_.find(timestep);
  if (found != rows_.end()) return found->second;
  if (rows_.size() == kMaxRows) rows_.clear();
  const at::Tensor row = embed_(
      at::full({1}, timestep, at::TensorOptions(device_).dtype(at::kFloat)));
  rows_[timestep] = row;
  return row;
}

at::Tensor TimestepTable::Rows(const std::vector<float>& timesteps) {
  std::vector<at::Tensor> rows;
  rows.reserve(timesteps.size());
  absl::MutexLock lock(&mutex_);
  for (float timestep : timesteps) rows.push_back(RowLocked(timestep));
  return at::cat(rows);
}

}  // namespace genzo
