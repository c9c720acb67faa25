#include "worker/engine/batcher.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <tuple>

namespace genzo {
namespace {

using Flow = FairShares::Flow;

Flow FlowOf(const Candidate& candidate) {
  return {candidate.tenant, candidate.weight, candidate.shape};
}

// One choice under way.
class Choice {
 public:
  Choice(absl::Span<const Candidate> candidates, absl::Span<const int> row_caps,
         int max_wait, FairShares& shares)
      : candidates_(candidates),
        row_caps_(row_caps),
        max_wait_(max_wait),
        shares_(shares) {
    for (size_t i = 0; i < candidates.size(); ++i) {
      waiting_[FlowOf(candidates[i])].push_back(static_cast<int>(i));
    }
    for (auto& [flow, runs] : waiting_) {
      std::sort(runs.begin(), runs.end(),
                [this](int a, int b) { return Rank(a) < Rank(b); });
    }
    ForgetIdleFlows();
  }

  std::vector<int> Run() {
    const int leader = Leader();
    const Flow flow = FlowOf(candidates_[leader]);
    shares_.flows[flow].last_led = ++shares_.choices;
    Take(flow, leader);
    while (const Flow* next = MostOwed(flow.shape)) TakeFirstThatFits(*next);
    Credit();
    return picked_;
  }

 private:
  bool Aged(int i) const { return candidates_[i].waited >= max_wait_; }

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
    for (const auto& [flow, runs] : waiting_) shares_.flows[flow];
  }

  int Leader() const {
    int oldest = 0;
    for (size_t i = 1; i < candidates_.size(); ++i) {
      if (candidates_[i].waited > candidates_[oldest].waited) {
        oldest = static_cast<int>(i);
      }
    }
    if (Aged(oldest)) return oldest;
    const Flow* best = nullptr;
    for (const auto& [flow, runs] : waiting_) {
      if (best == nullptr || IsOwedMore(flow, *best)) best = &flow;
    }
    return waiting_.at(*best).front();
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
    return rows_ + candidates_[i].rows <= row_caps_[candidates_[i].shape];
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
    for (const auto& [flow, runs] : waiting_) {
      shares_.flows[flow].deficit += cost_ * share_of(flow) / total;
    }
  }

  const absl::Span<const Candidate> candidates_;
  const absl::Span<const int> row_caps_;
  const int max_wait_;
  FairShares& shares_;
  std::map<Flow, std::deque<int>> waiting_;  // runs not picked, best first
  std::vector<int> picked_;
  int rows_ = 0;
  double cost_ = 0;
};

}  // namespace

std::vector<int> Batcher::Pick(absl::Span<const Candidate> candidates,
                               absl::Span<const int> row_caps,
                               FairShares& shares) const {
  if (candidates.empty()) return {};
  return Choice(candidates, row_caps, max_wait_, shares).Run();
}

}  // namespace genzo
