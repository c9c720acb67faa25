#include "worker/denoiser/denoiser.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "c10/core/InferenceMode.h"

namespace genzo {

std::string NameOf(const BatchKey& key) {
  return absl::StrCat(absl::Hex(reinterpret_cast<uintptr_t>(key.denoiser)), " ",
                      absl::StrJoin(key.sizes, " "));
}

BatchKey Denoiser::KeyOf(at::IntArrayRef sample,
                         const Prepared& prepared) const {
  BatchKey key = {.denoiser = this, .sizes = sample.vec()};
  for (const at::Tensor& tensor : prepared.tensors) {
    const at::IntArrayRef row = tensor.sizes().slice(1);
    key.sizes.insert(key.sizes.end(), row.begin(), row.end());
  }
  return key;
}

at::Tensor BroughtTo(const Placement& placement, const at::Tensor& sample) {
  at::Tensor rows = sample.to(placement.dtype);
  // The one wait of a step is for the prediction: pinned memory is copied while
  // the CPU goes on.
  if (rows.device() != placement.device) {
    if (rows.is_cpu()) rows = rows.pin_memory();
    rows = rows.to(placement.device, /*non_blocking=*/true);
  }
  return rows;
}

at::Tensor Predict(const Denoiser& denoiser, const at::Tensor& sample,
                   const std::vector<float>& times, const Prepared& prepared) {
  c10::InferenceMode inference;
  return denoiser
      .Forward(BroughtTo(denoiser.placement(), sample),
               denoiser.EmbedTimes(times), prepared)
      .to(sample.device(), at::kFloat)
      .contiguous();
}

Prepared RepeatFirstRow(const Prepared& prepared, int rows) {
  Prepared repeated = {.rows = rows, .tensors = {}};
  for (const at::Tensor& tensor : prepared.tensors) {
    std::vector<int64_t> sizes = tensor.sizes().vec();
    sizes[0] = rows;
    repeated.tensors.push_back(
        tensor.narrow(0, 0, 1).expand(sizes).contiguous());
  }
  return repeated;
}

}  // namespace genzo
