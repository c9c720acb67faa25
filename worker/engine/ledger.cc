#include "worker/engine/ledger.h"

#include <algorithm>

namespace genzo {

void Ledger::Meet(const Present& present) {
  step_.clear();
  for (const auto& [flow, step] : present) {
    double& longest = step_[flow.tenant];
    longest = std::max(longest, step);
  }
  std::erase_if(
      flows_, [&](const auto& flow) { return present.count(flow.first) == 0; });
  std::erase_if(debts_,
                [&](const auto& debt) { return step_.count(debt.first) == 0; });
  for (const auto& [flow, step] : present) {
    if (flows_.count(flow) > 0) continue;
    const double standing = StandingOf(flow.tenant);
    flows_[flow].deficit = standing;
  }
  owing_.clear();
  for (const auto& [tenant, step] : step_) {
    if (debts_[tenant] > kDebt * step) owing_.insert(tenant);
  }
  debtors_ = owing_;
  if (debtors_.size() == step_.size()) debtors_.clear();  // owe each other
}

double Ledger::StandingOf(const std::string& tenant) const {
  double least = 0;
  for (const auto& [flow, share] : flows_) {
    if (flow.tenant == tenant) least = std::min(least, share.deficit);
  }
  return least;
}

void Ledger::Led(const Flow& leader, bool as_aged_debtor) {
  flows_.at(leader).last_led = ++choices_;
  if (as_aged_debtor) debtor_led_ = choices_;
}

void Ledger::Charge(const std::map<Flow, double>& used,
                    const std::set<Flow>& may_lead, bool has_backlog) {
  double charged = 0;
  double all = 0;
  std::map<std::string, double> by_tenant;
  for (const auto& [flow, cost] : used) {
    all += cost;
    by_tenant[flow.tenant] += cost;
    if (IsDebtor(flow.tenant)) continue;
    flows_.at(flow).deficit -= cost;
    charged += cost;
  }
  Credit(charged, may_lead);
  const bool alone = step_.size() == 1;
  for (const auto& [tenant, step] : step_) {
    const double share =
        alone && has_backlog ? 0 : all / static_cast<double>(step_.size());
    const double most = kMostOwed * step;
    double& debt = debts_[tenant];
    debt = std::clamp(debt + by_tenant[tenant] - share, -most, most);
  }
}

void Ledger::Credit(double charged, const std::set<Flow>& may_lead) {
  std::map<std::string, int> flows_of;
  for (const Flow& flow : may_lead) {
    if (!IsDebtor(flow.tenant)) ++flows_of[flow.tenant];
  }
  double longest = 0;
  for (const auto& [tenant, step] : step_) longest = std::max(longest, step);
  const double most = kMostOwed * longest;
  const double share = charged / static_cast<double>(flows_of.size());
  for (auto& [flow, state] : flows_) {
    if (IsDebtor(flow.tenant)) continue;
    const double credit =
        may_lead.count(flow) > 0 ? share / flows_of.at(flow.tenant) : 0;
    state.deficit = std::clamp(state.deficit + credit, -most, most);
  }
}

}  // namespace genzo
