#include "worker/engine/run.h"

#include <cmath>
#include <exception>
#include <utility>

#include "ATen/ops/sum.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "queue/job_demand.h"
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
  const bool stage_ended = !Next().has_value();
  if (!stage_ended || current_ + 1 == stages_.size() || hop() != nullptr) {
    if (stages_[current_].EnterPhase()) FindKey();
    return absl::OkStatus();
  }
  return EnterOrThrow(latent());
}

double Run::load() const {
  const WalkProgress progress = stage().sampler->progress();
  double beside = 0;  // in rows
  for (const StageControl& control : stage().controls) {
    if (!control.ActiveAt(progress) || !control.network->evaluates()) continue;
    beside += kControlLoad * static_cast<double>(control.prepared->rows);
  }
  for (const PicturePrompt& picture : stage().prepared->pictures) {
    beside += kImagePromptLoad * static_cast<double>(picture.rows);
  }
  return 1 + beside / rows();
}

const PixelHop* Run::hop() const {
  if (current_ + 1 == stages_.size()) return nullptr;
  const auto& hop = stages_[current_ + 1].through_pixels;
  return hop.has_value() && !Next().has_value() ? &*hop : nullptr;
}

absl::Status Run::EnterOrThrow(const at::Tensor& latent) {
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

absl::Status Run::Enter(const at::Tensor& latent) {
  try {
    return EnterOrThrow(latent);
  } catch (const std::exception&) {
    return StatusFromException("the next pass failed to begin");
  }
}

absl::Status Run::Take(const at::Tensor& prediction) {
  try {
    return TakeOrThrow(prediction);
  } catch (const std::exception&) {
    return StatusFromException("sampler step failed");
  }
}

WalkProgress Run::Sum(bool with_inversion) const {
  WalkProgress sum{};
  for (const Stage& stage : stages_) {
    if (stage.inverts && !with_inversion) continue;
    const WalkProgress progress = stage.sampler->progress();
    sum.steps_done += progress.steps_done - stage.steps_before;
    sum.steps += progress.steps - stage.steps_before;
    sum.evaluations_done += progress.evaluations_done;
    sum.evaluations += progress.evaluations;
  }
  return sum;
}

}  // namespace genzo
