#ifndef GENZO_WORKER_ENGINE_CANDIDATE_LIST_H_
#define GENZO_WORKER_ENGINE_CANDIDATE_LIST_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "worker/engine/batcher.h"

namespace genzo {

// Small numbers for values. A value keeps its number as long as it is asked for
// in every round.
template <typename Value>
class StableNumbers {
 public:
  void NextRound() { last_ = std::exchange(current_, {}); }

  int Of(const Value& value) {
    const auto found = current_.find(value);
    if (found != current_.end()) return found->second;
    const int number = NumberFor(value);
    current_[value] = number;
    return number;
  }

 private:
  int NumberFor(const Value& value) const {
    const auto known = last_.find(value);
    if (known != last_.end()) return known->second;
    std::set<int> taken;
    for (const auto& [other, number] : last_) taken.insert(number);
    for (const auto& [other, number] : current_) taken.insert(number);
    int number = 0;
    while (taken.count(number) > 0) ++number;
    return number;
  }

  std::map<Value, int> last_;
  std::map<Value, int> current_;
};

// What a batcher chooses from, gathered anew for every choice. The numbers of
// tenants and shapes outlive it, as what a flow is owed is kept by them.
template <typename Shape>
class CandidateList {
 public:
  void Clear() {
    candidates_.clear();
    limits_.clear();
    tenants_.NextRound();
    shapes_.NextRound();
    seen_.clear();
  }

  // Adds a run of `rows` rows, and what a step of it costs. `limits()` is asked
  // for once a shape, with times of `rows` rows or more. The rest is for the
  // caller to fill in.
  template <typename Limits>
  Candidate& Add(const std::string& tenant, const Shape& shape, int rows,
                 Limits&& limits) {
    const int number = shapes_.Of(shape);
    if (seen_.insert(number).second) {
      if (limits_.size() <= static_cast<size_t>(number)) {
        limits_.resize(number + 1);
      }
      limits_[number] = limits();
    }
    candidates_.push_back({.shape = number,
                           .tenant = tenants_.Of(tenant),
                           .rows = rows,
                           .cost = limits_[number].times[rows - 1]});
    return candidates_.back();
  }

  const std::vector<Candidate>& candidates() const { return candidates_; }
  // By shape; those of shapes that no candidate has mean nothing.
  const std::vector<ShapeLimits>& limits() const { return limits_; }

 private:
  StableNumbers<std::string> tenants_;
  StableNumbers<Shape> shapes_;
  std::set<int> seen_;
  std::vector<Candidate> candidates_;
  std::vector<ShapeLimits> limits_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_CANDIDATE_LIST_H_
