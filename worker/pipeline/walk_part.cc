#include "worker/pipeline/walk_part.h"

#include <algorithm>
#include <cmath>

namespace genzo {

WalkPart::WalkPart(std::unique_ptr<SamplerRun> walk, StepRange range,
                   int evaluations)
    : walk_(std::move(walk)), range_(range), evaluations_(evaluations) {}

std::optional<Query> WalkPart::Next() const {
  if (walk_->progress().evaluations_done >= evaluations_) return std::nullopt;
  return walk_->Next();
}

WalkProgress WalkPart::progress() const {
  WalkProgress progress = walk_->progress();
  const bool over = progress.evaluations_done >= evaluations_;
  progress.steps_done =
      (over ? range_.end : std::min(progress.steps_done, range_.end)) -
      range_.begin;
  progress.steps = range_.end - range_.begin;
  progress.evaluations = evaluations_;
  return progress;
}

std::optional<Handover> HandoverAt(
    const std::function<WalkPlan(int first_step)>& plan_from, int first_step,
    double share, int num_train_timesteps) {
  // To even numbers from the middle between two, as Python rounds.
  const double cutoff =
      std::nearbyint(num_train_timesteps - share * num_train_timesteps);
  const WalkPlan plan = plan_from(first_step);
  const auto made = std::count_if(plan.timesteps.begin(), plan.timesteps.end(),
                                  [&](double t) { return t >= cutoff; });
  Handover handover = {.evaluations = static_cast<int>(made)};
  const int left = plan.evaluations() - handover.evaluations;
  if (left == 0) return std::nullopt;
  // PNDM looks twice in its first step alone, wherever that is.
  handover.step = std::min(plan.steps_done[made] + 1, plan.steps() - 1);
  while (handover.step > first_step &&
         plan_from(handover.step).evaluations() < left) {
    --handover.step;
  }
  return handover;
}

}  // namespace genzo
