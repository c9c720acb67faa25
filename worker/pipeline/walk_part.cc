#include "worker/pipeline/walk_part.h"

#include <algorithm>
#include <cmath>

namespace genzo {

WalkPart::WalkPart(std::unique_ptr<SamplerRun> walk, const WalkPlan& plan,
                   StepRange range)
    : walk_(std::move(walk)),
      range_(range),
      evaluations_(static_cast<int>(
          std::count_if(plan.steps_done.begin(), plan.steps_done.end() - 1,
                        [&](int done) { return done < range.end; }))) {}

std::optional<Query> WalkPart::Next() const {
  if (walk_->progress().steps_done >= range_.end) return std::nullopt;
  return walk_->Next();
}

WalkProgress WalkPart::progress() const {
  WalkProgress progress = walk_->progress();
  progress.steps_done -= range_.begin;
  progress.steps = range_.end - range_.begin;
  progress.evaluations = evaluations_;
  return progress;
}

int StepAtShare(const WalkPlan& plan, double share, int num_train_timesteps) {
  // To even numbers from the middle between two, as Python rounds.
  const double cutoff =
      std::nearbyint(num_train_timesteps - share * num_train_timesteps);
  for (int i = 0; i < plan.evaluations(); ++i) {
    const bool begins_step =
        i == 0 || plan.steps_done[i] > plan.steps_done[i - 1];
    if (begins_step && plan.timesteps[i] < cutoff) return plan.steps_done[i];
  }
  return plan.steps();
}

}  // namespace genzo
