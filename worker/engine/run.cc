#include "worker/engine/run.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "ATen/ops/sum.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "queue/job_demand.h"
#include "worker/device/exception_status.h"

namespace genzo {
namespace {

constexpr char kStage[] = "stage";

// Of the walk of stage `index`, as bytes.
std::string WalkField(size_t index) { return absl::StrCat("walk ", index); }

}  // namespace

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
  const bool stage_ended = !Next().has_value();
  // A stage may end in mid-step, with a picture all the same.
  step_ended_ = stage().sampler->progress().steps_done > steps_before ||
                (stage_ended && current_ + 1 == stages_.size());
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
  Stage& next = stages_[current_ + 1];
  if (next.begin == nullptr) {
    next.sampler->Replace(latent);
  } else {
    const absl::Status begun = next.begin(next, latent);
    if (!begun.ok()) return begun;
  }
  ++current_;
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

std::string Run::Save() const {
  const auto gated = [](const RowEdit& edit) { return edit.take != nullptr; };
  const RowEdits& edits = stage().prepared->edits;
  if (std::any_of(edits.begin(), edits.end(), gated)) return "";
  try {
    SamplerState saved;
    saved.SetInteger(kStage, static_cast<int64_t>(current_));
    for (size_t i = 0; i <= current_; ++i) {
      SamplerState walk;
      stages_[i].sampler->Save(walk);
      saved.SetText(WalkField(i), walk.Serialize());
    }
    return saved.Serialize();
  } catch (const std::exception&) {
    return "";
  }
}

// Stages that are over are restored too, as progress() counts them and noise
// may be drawn from one source by all.
absl::Status Run::RestoreOrThrow(const SamplerState& saved) {
  StateReader reader(saved);
  const auto last = static_cast<size_t>(
      reader.Integer(kStage, 0, static_cast<int64_t>(stages_.size()) - 1));
  for (size_t i = 0; i <= last; ++i) {
    const std::string bytes = reader.Text(WalkField(i));
    if (!reader.ok()) return reader.status();
    const auto walk = SamplerState::Parse(bytes);
    if (!walk.ok()) return walk.status();
    const absl::Status restored = stages_[i].sampler->Restore(*walk);
    if (!restored.ok()) return restored;
    const at::Tensor& denoised = stages_[i].sampler->denoised();
    if (denoised.defined()) denoised_ = denoised;
  }
  current_ = last;
  stages_[current_].EnterPhase();
  FindKey();
  return absl::OkStatus();
}

absl::Status Run::Restore(const std::string& saved) {
  const auto parsed = SamplerState::Parse(saved);
  if (!parsed.ok()) return parsed.status();
  try {
    return RestoreOrThrow(*parsed);
  } catch (const std::exception&) {
    return StatusFromException("going on from a checkpoint failed");
  }
}

int64_t Run::most_pixels() const {
  int64_t most = 0;
  for (const Stage& stage : stages_) most = std::max(most, stage.pixels);
  return most;
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
