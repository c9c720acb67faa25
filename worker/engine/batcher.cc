#include "worker/engine/batcher.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
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
      const Candidate& candidate = candidates[i];
      waiting_[FlowOf(candidate)].push_back(static_cast<int>(i));
      double& step = step_[candidate.tenant];
      step = std::max(step, candidate.cost);
      longest_step_ = std::max(longest_step_, candidate.cost);
    }
    ForgetTheAbsent();
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
    has_guests_ = !InDebt(leader);
    Take(flow, leader);
    while (const Flow* next = First(flow.shape)) TakeFirstThatFits(*next);
    const std::map<Flow, double> weights = Weights();
    Credit(weights);
    Charge(weights, flow.shape);
    return picked_;
  }

 private:
  bool IsDebtor(int tenant) const { return debtors_.count(tenant) > 0; }
  bool InDebt(int i) const { return IsDebtor(candidates_[i].tenant); }

  bool Aged(int i) const {
    const int patience = InDebt(i) ? Batcher::kDebtorPatience : 1;
    return candidates_[i].waited >= patience * max_wait_;
  }

  // Order within a flow.
  std::tuple<bool, bool, double, int> Rank(int i) const {
    const Candidate& candidate = candidates_[i];
    return {!Aged(i), !candidate.fresh, candidate.slack, i};
  }

  void ForgetTheAbsent() {
    std::erase_if(shares_.flows, [this](const auto& flow) {
      return waiting_.count(flow.first) == 0;
    });
    std::erase_if(shares_.debts, [this](const auto& debt) {
      return step_.count(debt.first) == 0;
    });
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
    for (const auto& [tenant, step] : step_) {
      if (shares_.debts[tenant] > Batcher::kDebt * step) {
        debtors_.insert(tenant);
      }
    }
    if (debtors_.size() == step_.size()) debtors_.clear();  // owe each other
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

  int Leader() {
    const int oldest = Oldest();
    if (oldest < 0) return waiting_.at(*First(std::nullopt)).front();
    if (InDebt(oldest)) shares_.debtor_led = shares_.choices + 1;
    return oldest;
  }

  // The flow whose turn it is, of those of `shape` if one is given that have a
  // run that fits.
  const Flow* First(std::optional<int> shape) const {
    const Flow* first = nullptr;
    for (const auto& [flow, runs] : waiting_) {
      if (shape.has_value() && flow.shape != *shape) continue;
      const bool fits = std::any_of(runs.begin(), runs.end(),
                                    [this](int i) { return Fits(i); });
      if (fits && (first == nullptr || Turn(flow) < Turn(*first))) {
        first = &flow;
      }
    }
    return first;
  }

  // Least first: without debt, owed most, led longer ago.
  std::tuple<bool, double, int64_t> Turn(const Flow& flow) const {
    const FairShares::Share& share = shares_.flows.at(flow);
    const Candidate& front = candidates_[waiting_.at(flow).front()];
    const double credit = front.fresh ? Batcher::kStartCredit * front.cost : 0;
    return {IsDebtor(flow.tenant), -share.deficit - credit, share.last_led};
  }

  bool Fits(int i) const {
    if (picked_.empty()) return true;
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
    const Candidate& candidate = candidates_[i];
    picked_.push_back(i);
    rows_ += candidate.rows;
    filled_ |= candidate.fills;
    used_[candidate.tenant] += candidate.cost;
    if (InDebt(i)) return;
    host_rows_ += candidate.rows;
    host_fills_ |= candidate.fills;
    shares_.flows[flow].deficit -= candidate.cost;
    charged_ += candidate.cost;
  }

  // Of a tenant's weight, split over its flows of that weight.
  std::map<Flow, double> Weights() const {
    std::map<std::pair<int, double>, int> flows_of;  // (tenant, weight)
    for (const auto& [flow, runs] : waiting_) {
      ++flows_of[{flow.tenant, flow.weight}];
    }
    std::map<Flow, double> weights;
    for (const auto& [flow, runs] : waiting_) {
      weights[flow] = flow.weight / flows_of[{flow.tenant, flow.weight}];
    }
    return weights;
  }

  // What was charged to flows is owed to them all. Those in debt stand aside.
  void Credit(const std::map<Flow, double>& weights) {
    double total = 0;
    for (const auto& [flow, weight] : weights) {
      if (!IsDebtor(flow.tenant)) total += weight;
    }
    const double most = Batcher::kMostOwed * longest_step_;
    for (const auto& [flow, weight] : weights) {
      if (IsDebtor(flow.tenant)) continue;
      double& deficit = shares_.flows[flow].deficit;
      deficit = std::clamp(deficit + charged_ * weight / total, -most, most);
    }
  }

  // What tenants used beyond their share is their debt. Alone one owes nothing,
  // but for a backlog that whoever comes would have to wait for.
  void Charge(const std::map<Flow, double>& weights, int shape) {
    double used = 0;
    for (const auto& [tenant, cost] : used_) used += cost;
    std::map<int, double> weight_of;  // tenants
    double total = 0;
    for (const auto& [flow, weight] : weights) {
      weight_of[flow.tenant] += weight;
      total += weight;
    }
    const bool has_backlog = std::any_of(
        waiting_.begin(), waiting_.end(), [shape](const auto& flow) {
          return flow.first.shape == shape && !flow.second.empty();
        });
    for (const auto& [tenant, weight] : weight_of) {
      const bool alone = weight_of.size() == 1;
      const double share = alone && has_backlog ? 0 : used * weight / total;
      const double most = Batcher::kMostOwed * step_.at(tenant);
      double& debt = shares_.debts[tenant];
      debt = std::clamp(debt + used_[tenant] - share, -most, most);
    }
  }

  const absl::Span<const Candidate> candidates_;
  const absl::Span<const ShapeLimits> shapes_;
  const int max_wait_;
  FairShares& shares_;
  std::map<Flow, std::deque<int>> waiting_;  // runs not picked, best first
  std::map<int, double> step_;  // a tenant's costliest, of those present
  double longest_step_ = 0;
  std::set<int> debtors_;    // tenants
  bool has_guests_ = false;  // those in debt are; another leads
  std::vector<int> picked_;
  int rows_ = 0;
  bool filled_ = false;  // up to the cap
  int host_rows_ = 0;    // of tenants that are not in debt
  bool host_fills_ = false;
  std::map<int, double> used_;  // cost by tenant
  double charged_ = 0;          // to flows
};

}  // namespace

std::vector<int> Batcher::Pick(absl::Span<const Candidate> candidates,
                               absl::Span<const ShapeLimits> shapes,
                               FairShares& shares) const {
  if (candidates.empty()) {
    shares = {};
    return {};
  }
  return Choice(candidates, shapes, max_wait_, shares).Run();
}

}  // namespace genzo
