#include "worker/engine/batcher.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <tuple>

#include "queue/guest_slowdown.h"

namespace genzo {
namespace {

using Flow = FairShares::Flow;

Flow FlowOf(const Candidate& candidate) {
  return {candidate.tenant, candidate.weight, candidate.shape};
}

// One choice under way.
class Choice {
 public:
  Choice(absl::Span<const Candidate> candidates,
         absl::Span<const ShapeLimits> shapes, int max_wait, FairShares& shares)
      : candidates_(candidates),
        shapes_(shapes),
        max_wait_(max_wait),
        shares_(shares) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      waiting_[FlowOf(candidates[i])].push_back(static_cast<int>(i));
    }
    ForgetIdleFlows();
    FindDebtors();
    for (auto& [flow, runs] : waiting_) {
      std::sort(runs.begin(), runs.end(),
                [this](int a, int b) { return Rank(a) < Rank(b); });
    }
  }

  std::vector<int> Run() {
    const int leader = Leader();
    const Flow flow = FlowOf(candidates_[leader]);
    shares_.flows[flow].last_led = ++shares_.choices;
    has_guests_ = in_debt_.count(flow) == 0;
    if (!has_guests_) shares_.debtor_led = shares_.choices;
    Take(flow, leader);
    while (const Flow* next = MostOwed(flow.shape)) TakeFirstThatFits(*next);
    Credit();
    return picked_;
  }

 private:
  bool InDebt(int i) const {
    return in_debt_.count(FlowOf(candidates_[i])) > 0;
  }

  bool Aged(int i) const {
    const int patience = InDebt(i) ? Batcher::kDebtorPatience : 1;
    return candidates_[i].waited >= patience * max_wait_;
  }

  // Order within a flow.
  std::tuple<bool, bool, double, int> Rank(int i) const {
    const Candidate& candidate = candidates_[i];
    return {!Aged(i), !candidate.fresh, candidate.slack, i};
  }

  void ForgetIdleFlows() {
    for (auto it = shares_.flows.begin(); it != shares_.flows.end();) {
      it = waiting_.count(it->first) > 0 ? std::next(it)
                                         : shares_.flows.erase(it);
    }
    for (const auto& [flow, runs] : waiting_) {
      if (shares_.flows.count(flow) == 0) {
        shares_.flows[flow].deficit = StandingOf(flow.tenant);
      }
    }
  }

  // Of a tenant's flows that are here already, the least that one is owed: a
  // new shape brings no new credit.
  double StandingOf(int tenant) const {
    double least = 0;
    for (const auto& [flow, share] : shares_.flows) {
      if (flow.tenant == tenant) least = std::min(least, share.deficit);
    }
    return least;
  }

  void FindDebtors() {
    std::set<int> creditors;  // tenants
    for (const auto& [flow, runs] : waiting_) {
      if (shares_.flows.at(flow).deficit < -DebtOf(flow)) {
        in_debt_.insert(flow);
      } else {
        creditors.insert(flow.tenant);
      }
    }
    // Nobody owes himself.
    for (auto it = in_debt_.begin(); it != in_debt_.end();) {
      const bool to_others = creditors.size() > creditors.count(it->tenant);
      it = to_others ? std::next(it) : in_debt_.erase(it);
    }
  }

  double DebtOf(const Flow& flow) const {
    double cost = 0;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (FlowOf(candidates_[i]) == flow) {
        cost = std::max(cost, candidates_[i].cost);
      }
    }
    return Batcher::kDebt * cost;
  }

  // The aged run that has waited longest, or -1. In debt only in their turn.
  int Oldest() const {
    const bool debtors_turn =
        shares_.choices - shares_.debtor_led >= Batcher::kDebtorTurn - 1;
    int oldest = -1;
    for (int i = 0; i < static_cast<int>(candidates_.size()); ++i) {
      if (!Aged(i) || (InDebt(i) && !debtors_turn)) continue;
      if (oldest < 0 || candidates_[i].waited > candidates_[oldest].waited) {
        oldest = i;
      }
    }
    return oldest;
  }

  int Leader() const {
    const int oldest = Oldest();
    if (oldest >= 0) return oldest;
    const Flow* best = nullptr;
    for (const auto& [flow, runs] : waiting_) {
      if (best == nullptr || GoesBefore(flow, *best)) best = &flow;
    }
    return waiting_.at(*best).front();
  }

  bool GoesBefore(const Flow& a, const Flow& b) const {
    const bool a_starts = StartsOnCredit(a), b_starts = StartsOnCredit(b);
    return a_starts != b_starts ? a_starts : IsOwedMore(a, b);
  }

  // Whether a run of the flow waits for its first step, and the flow has had
  // little enough to be given that ahead of others.
  bool StartsOnCredit(const Flow& flow) const {
    const Candidate& first = candidates_[waiting_.at(flow).front()];
    return first.fresh &&
           shares_.flows.at(flow).deficit > -Batcher::kStartCredit * first.cost;
  }

  // Ties go to the flow that led longer ago.
  bool IsOwedMore(const Flow& a, const Flow& b) const {
    const FairShares::Share& x = shares_.flows.at(a);
    const FairShares::Share& y = shares_.flows.at(b);
    return std::tie(y.deficit, x.last_led) < std::tie(x.deficit, y.last_led);
  }

  // The flow of `shape` that is owed most and has a run that fits.
  const Flow* MostOwed(int shape) const {
    const Flow* best = nullptr;
    for (const auto& [flow, runs] : waiting_) {
      if (flow.shape != shape) continue;
      const bool fits = std::any_of(runs.begin(), runs.end(),
                                    [this](int i) { return Fits(i); });
      if (fits && (best == nullptr || IsOwedMore(flow, *best))) best = &flow;
    }
    return best;
  }

  bool Fits(int i) const {
    const ShapeLimits& limits = shapes_[candidates_[i].shape];
    const int rows = rows_ + candidates_[i].rows;
    if (rows > limits.row_cap) return false;
    if (!has_guests_ || !InDebt(i)) return true;
    const bool filled = filled_ || candidates_[i].fills;
    return TimeOf(filled ? limits.row_cap : rows, limits) <=
           kGuestSlowdown *
               TimeOf(host_fills_ ? limits.row_cap : host_rows_, limits);
  }

  static double TimeOf(int rows, const ShapeLimits& limits) {
    const auto known = static_cast<int>(limits.times.size());
    if (known == 0) return rows;
    return rows <= known ? limits.times[rows - 1]
                         : limits.times.back() * rows / known;
  }

  void TakeFirstThatFits(const Flow& flow) {
    const std::deque<int>& runs = waiting_.at(flow);
    Take(flow, *std::find_if(runs.begin(), runs.end(),
                             [this](int i) { return Fits(i); }));
  }

  void Take(const Flow& flow, int i) {
    std::deque<int>& runs = waiting_.at(flow);
    runs.erase(std::find(runs.begin(), runs.end(), i));
    picked_.push_back(i);
    rows_ += candidates_[i].rows;
    filled_ |= candidates_[i].fills;
    if (!InDebt(i)) {
      host_rows_ += candidates_[i].rows;
      host_fills_ |= candidates_[i].fills;
    }
    cost_ += candidates_[i].cost;
    shares_.flows[flow].deficit -= candidates_[i].cost;
  }

  void Credit() {
    std::map<std::pair<int, double>, int> flows_of;  // (tenant, weight)
    for (const auto& [flow, runs] : waiting_) {
      ++flows_of[{flow.tenant, flow.weight}];
    }
    const auto share_of = [&](const Flow& flow) {
      return flow.weight / flows_of[{flow.tenant, flow.weight}];
    };
    double total = 0;
    for (const auto& [flow, runs] : waiting_) total += share_of(flow);
    const bool is_backlog =
        waiting_.size() == 1 && !waiting_.begin()->second.empty();
    const double credit = is_backlog ? 0 : cost_;
    for (const auto& [flow, runs] : waiting_) {
      shares_.flows[flow].deficit += credit * share_of(flow) / total;
    }
    for (const auto& [flow, runs] : waiting_) {
      const double most = 2 * DebtOf(flow);
      double& deficit = shares_.flows[flow].deficit;
      deficit = std::clamp(deficit, -most, most);
    }
  }

  const absl::Span<const Candidate> candidates_;
  const absl::Span<const ShapeLimits> shapes_;
  const int max_wait_;
  FairShares& shares_;
  std::map<Flow, std::deque<int>> waiting_;  // runs not picked, best first
  std::set<Flow> in_debt_;
  bool has_guests_ = false;  // those in debt are; another leads
  std::vector<int> picked_;
  int rows_ = 0;
  bool filled_ = false;  // up to the cap
  int host_rows_ = 0;    // of flows that are not in debt
  bool host_fills_ = false;
  double cost_ = 0;
};

}  // namespace

std::vector<int> Batcher::Pick(absl::Span<const Candidate> candidates,
                               absl::Span<const ShapeLimits> shapes,
                               FairShares& shares) const {
  if (candidates.empty()) {
    shares.flows.clear();
    return {};
  }
  return Choice(candidates, shapes, max_wait_, shares).Run();
}

}  // namespace genzo
