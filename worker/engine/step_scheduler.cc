#include "worker/engine/step_scheduler.h"

namespace genzo {

std::optional<TakeRules> StepScheduler::WhomToTake(const TakeFacts& facts) {
  if (facts.live.empty()) ledger_ = {};
  if (IsFull(TotalOf(facts.live) + facts.parked, max_live_runs_)) {
    return std::nullopt;
  }
  TakeRules rules;
  rules.only_preferred = static_cast<double>(facts.parked) >=
                         static_cast<double>(max_live_runs_) * kParkedShare;
  // With all in memory there is nothing to prefer.
  if (rules.only_preferred || facts.ready.size() < facts.models) {
    rules.preferred_models = facts.ready;
  }
  rules.except_tenants = TenantsWithEnough(facts.live, max_live_runs_);
  // Another may have to load the model first.
  rules.leave_to_others =
      rules.preferred_models.empty() && facts.others_are_freer;
  return rules;
}

std::vector<int> StepScheduler::WhomToPick(const Candidates& candidates) {
  return batcher_.Pick(candidates, ledger_);
}

}  // namespace genzo
