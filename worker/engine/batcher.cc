#include "worker/engine/batcher.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <tuple>

#include "queue/forecast.h"

namespace genzo {
namespace {

Flow FlowOf(const Candidate& candidate) {
  return {candidate.tenant, candidate.shape};
}

double LoadsOf(const Candidate& run) { return run.rows * run.load; }

// One choice under way.
class Choice {
 public:
  Choice(const Candidates& candidates, int max_wait, Ledger& ledger)
      : runs_(candidates.runs),
        shapes_(candidates.shapes),
        max_wait_(max_wait),
        ledger_(ledger) {
    Ledger::Present present;
    std::map<Flow, int> highest;  // priorities
    std::map<std::string, int> highest_of;
    for (size_t i = 0; i < runs_.size(); ++i) {
      const Candidate& run = runs_[i];
      const Flow flow = FlowOf(run);
      waiting_[flow].push_back(static_cast<int>(i));
      present[flow] = std::max(present[flow], run.cost);
      Raise(flow, run.priority, highest);
      Raise(run.tenant, run.priority, highest_of);
    }
    ledger_.Meet(present);
    for (auto& [flow, waiting] : waiting_) {
      std::sort(waiting.begin(), waiting.end(),
                [this](int a, int b) { return Rank(a) < Rank(b); });
      if (highest[flow] == highest_of[flow.tenant]) may_lead_.insert(flow);
    }
  }

  std::vector<int> Run() {
    const int leader = Leader();
    const Flow flow = FlowOf(runs_[leader]);
    ledger_.Led(flow, /*as_aged_debtor=*/InDebt(leader));
    debtors_join_ = !InDebt(leader);
    Take(flow, leader);
    while (const Flow* next = First(flow.shape)) TakeFirstThatFits(*next);
    const bool has_backlog = std::any_of(
        waiting_.begin(), waiting_.end(), [&flow](const auto& other) {
          return other.first.shape == flow.shape && !other.second.empty();
        });
    ledger_.Charge(used_, may_lead_, has_backlog);
    return picked_;
  }

 private:
  template <typename Key>
  static void Raise(const Key& key, int priority, std::map<Key, int>& highest) {
    const auto [place, is_new] = highest.try_emplace(key, priority);
    place->second = std::max(place->second, priority);
  }

  bool InDebt(int i) const { return ledger_.IsDebtor(runs_[i].tenant); }

  bool Aged(int i) const {
    const int patience = InDebt(i) ? Batcher::kDebtorPatience : 1;
    return runs_[i].waited >= patience * max_wait_;
  }

  // Order within a flow.
  std::tuple<bool, int, bool, double, int> Rank(int i) const {
    const Candidate& run = runs_[i];
    return {!Aged(i), -run.priority, !run.fresh, run.slack, i};
  }

  // The aged run that has waited longest, or -1. Of debtors in their turn only.
  int Oldest() const {
    const bool debtors_turn = ledger_.SinceDebtorLed() >= Batcher::kDebtorTurn;
    int oldest = -1;
    for (int i = 0; i < static_cast<int>(runs_.size()); ++i) {
      if (!Aged(i) || (InDebt(i) && !debtors_turn)) continue;
      if (oldest < 0 || runs_[i].waited > runs_[oldest].waited) oldest = i;
    }
    return oldest;
  }

  int Leader() const {
    const int oldest = Oldest();
    return oldest >= 0 ? oldest : waiting_.at(*First(std::nullopt)).front();
  }

  // The flow whose turn it is, of those of `shape` if one is given that have a
  // run that fits.
  const Flow* First(const std::optional<std::string>& shape) const {
    const Flow* first = nullptr;
    for (const auto& [flow, waiting] : waiting_) {
      if (shape.has_value() && flow.shape != *shape) continue;
      const bool fits = std::any_of(waiting.begin(), waiting.end(),
                                    [this](int i) { return Fits(i); });
      if (fits && (first == nullptr || Turn(flow) < Turn(*first))) {
        first = &flow;
      }
    }
    return first;
  }

  // Least first: no debtor's, of its tenant's highest priority, owed most, led
  // longer ago.
  std::tuple<bool, bool, double, int64_t> Turn(const Flow& flow) const {
    const bool is_debtor = ledger_.IsDebtor(flow.tenant);
    const Candidate& front = runs_[waiting_.at(flow).front()];
    double owed = ledger_.DeficitOf(flow);
    if (front.fresh) owed += Batcher::kStartCredit * front.cost;
    const auto used = used_.find(flow);
    if (!is_debtor && used != used_.end()) owed -= used->second;
    return {is_debtor, may_lead_.count(flow) == 0, -owed,
            ledger_.LastLed(flow)};
  }

  bool Fits(int i) const {
    if (picked_.empty()) return true;
    const ShapeLimits& limits = shapes_.at(runs_[i].shape);
    const int rows = rows_ + runs_[i].rows;
    if (rows > limits.row_cap) return false;
    if (loads_ + LoadsOf(runs_[i]) > limits.memory_rows) return false;
    if (!debtors_join_ || !InDebt(i)) return true;
    const bool padded = padded_ || runs_[i].reproducible;
    return limits.TimeOf(padded ? limits.row_cap : rows) <=
           kDebtorSlowdown *
               limits.TimeOf(padded_without_ ? limits.row_cap : rows_without_);
  }

  void TakeFirstThatFits(const Flow& flow) {
    const std::deque<int>& waiting = waiting_.at(flow);
    Take(flow, *std::find_if(waiting.begin(), waiting.end(),
                             [this](int i) { return Fits(i); }));
  }

  void Take(const Flow& flow, int i) {
    std::deque<int>& waiting = waiting_.at(flow);
    waiting.erase(std::find(waiting.begin(), waiting.end(), i));
    const Candidate& run = runs_[i];
    picked_.push_back(i);
    rows_ += run.rows;
    loads_ += LoadsOf(run);
    padded_ |= run.reproducible;
    used_[flow] += run.cost;
    if (InDebt(i)) return;
    rows_without_ += run.rows;
    padded_without_ |= run.reproducible;
  }

  const std::vector<Candidate>& runs_;
  const std::map<std::string, ShapeLimits>& shapes_;
  const int max_wait_;
  Ledger& ledger_;
  std::map<Flow, std::deque<int>> waiting_;  // runs not picked, best first
  std::set<Flow> may_lead_;    // those of their tenants' highest priorities
  bool debtors_join_ = false;  // what another leads
  std::vector<int> picked_;
  int rows_ = 0;
  double loads_ = 0;  // of the rows
  bool padded_ = false;
  int rows_without_ = 0;  // debtors'
  bool padded_without_ = false;
  std::map<Flow, double> used_;  // cost
};

}  // namespace

double ShapeLimits::TimeOf(int rows) const {
  const auto known = static_cast<int>(times.size());
  if (known == 0) return rows;
  return rows <= known ? times[rows - 1] : times.back() * rows / known;
}

std::vector<int> Batcher::Pick(const Candidates& candidates,
                               Ledger& ledger) const {
  if (candidates.runs.empty()) return {};
  return Choice(candidates, max_wait_, ledger).Run();
}

}  // namespace genzo
