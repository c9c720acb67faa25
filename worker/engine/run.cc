#include "worker/engine/run.h"

#include <cmath>
#include <exception>
#include <utility>

#include "ATen/ops/sum.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "worker/device/exception_status.h"

namespace genzo {

Run::Run(std::vector<Stage> stages) : stages_(std::move(stages)) {
  stages_[current_].EnterPhase();
  FindKey();
}

void Run::FindKey() {
  key_ = stage().denoiser->KeyOf(latent().sizes().slice(1), *stage().prepared);
  shape_ = NameOf(key_);
}

absl::Status Run::TakeOrThrow(const at::Tensor& prediction) {
  const int steps_before = stage().sampler->progress().steps_done;
  stage().sampler->Take(prediction);
  if (!std::isfinite(latent().sum().item<float>())) {
    return ErrorWithReason(
        absl::StatusCode::kInternal, "NOT_FINITE",
        absl::StrCat("step ", progress().steps_done,
                     " gave values that are not finite numbers"));
  }
  denoised_ = stage().sampler->denoised();
  step_ended_ = stage().sampler->progress().steps_done > steps_before;
  if (!finished() || current_ + 1 == stages_.size()) {
    if (stages_[current_].EnterPhase()) FindKey();
    return absl::OkStatus();
  }
  const at::Tensor latent = this->latent();
  Stage& next = stages_[++current_];
  if (next.begin == nullptr) {
    next.sampler->Replace(latent);
  } else {
    const absl::Status begun = next.begin(next, latent);
    if (!begun.ok()) return begun;
  }
  next.EnterPhase();
  FindKey();
  return absl::OkStatus();
}

absl::Status Run::Take(const at::Tensor& prediction) {
  try {
    return TakeOrThrow(prediction);
  } catch (const std::exception&) {
    return StatusFromException("sampler step failed");
  }
}

WalkProgress Run::progress() const {
  WalkProgress sum{};
  for (const Stage& stage : stages_) {
    const WalkProgress progress = stage.sampler->progress();
    sum.steps_done += progress.steps_done;
    sum.steps += progress.steps;
    sum.evaluations_done += progress.evaluations_done;
    sum.evaluations += progress.evaluations;
  }
  return sum;
}

}  // namespace genzo
