#ifndef GENZO_QUEUE_FAIR_QUEUE_H_
#define GENZO_QUEUE_FAIR_QUEUE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "queue/admission.h"
#include "queue/job_demand.h"

namespace genzo {

// A job as far as its place in line is concerned.
struct FairQueueItem {
  std::string id;
  std::string tenant;
  int priority = 0;  // higher goes first within a tenant
  double cost = 1;   // in any unit that all items share, over 0
  absl::Time latest_start;
  std::string model;
};

// The item of a job that should start by `latest_start`.
FairQueueItem QueueItem(const std::string& id, const JobDemand& demand,
                        absl::Time latest_start);

// What a worker would rather take.
struct TakeRules {
  // Models that it need not load first; empty: all the same.
  std::set<std::string> preferred_models;
  // It takes no others, as enough wait there for their models.
  bool only_preferred = false;
  // Tenants that have enough already: their jobs stay.
  std::set<std::string> except_tenants;
  // Others have less to do: they should have the next job.
  bool leave_to_others = false;
};

// The line of waiting jobs: fair between tenants, ordered within one.
//
// Next is the tenant that was given least so far, of equals the one that
// came first; one that comes back starts where the last that had a turn
// stood, or where it stood itself if that is more (start-time fair queueing,
// Goyal et al., 1996): who always has one job here gets no more than who has
// many. Where ever new tenants come, that start moves on towards the least of
// those present by 1 / kMaxPasses of what is taken: so who waits has a turn
// after they took kMaxPasses times what it had more than they, unless rules
// keep somebody else out meanwhile. Once nobody waits, all start level. Of a
// tenant's jobs, the one of the highest priority goes, among equals the one
// that must start first. A priority that was passed over kMostPassed times in a
// row has the next turn, the lowest first, so of a tenant's jobs at least one
// in kMostPassed + 3 is of each priority that waits: the k-th job of a priority
// leaves with the tenant's k * (kMostPassed + 3)-th at the latest.
//
//   waiting  a: high 1, high 2, low 3   b: normal 4, normal 5   (equal costs)
//   leaving  1 (a), 4 (b), 2 (a), 5 (b), 3 (a)
//
// A job whose model is not preferred is passed over at most kMaxPasses times,
// and no more often in a row are jobs left to others before one of those has
// come. Not thread-safe.
class FairQueue {
 public:
  static constexpr int kMaxPasses = 8;
  static constexpr int kMostPassed = 8;

  // Adds `item`, behind those of its tenant and priority that must start at the
  // same time. Always succeeds: the bound is admission's. Ids are unique.
  void Push(FairQueueItem item);

  // Removes and returns the item whose turn it is. nullopt if there is none
  // that `rules` allow, or if it is left to others this time: asking counts.
  std::optional<FairQueueItem> Pop(const TakeRules& rules);

  // Whether Pop() may give something, now or after it left some to others.
  bool HasFor(const TakeRules& rules) const;

  // Removes an item wherever it stands; false if it is not here.
  bool Remove(const std::string& id);

  size_t size() const { return size_; }
  // How many items each tenant has here.
  TenantCounts Counts() const;
  // The first `count` ids in the order in which they would leave without
  // rules; all, if they are fewer. Costs what `count` do, not what is here.
  std::vector<std::string> Order(size_t count) const;

 private:
  struct Waiting {
    std::shared_ptr<const FairQueueItem> item;
    int passes = 0;
  };
  // The items of one priority.
  struct Line {
    std::vector<Waiting> items;  // by latest start
    int passed = 0;              // times in a row that a higher one went
  };
  struct Flow {
    double served = 0;                          // cost
    uint64_t since = 0;                         // when it came, by count
    std::map<int, Line, std::greater<>> lines;  // with items, by priority
  };
  using Flows = std::map<std::string, Flow>;  // with items, by tenant

  // Whose turn is before whose.
  template <typename Iterator>
  static bool IsBefore(const Iterator& a, const Iterator& b) {
    return std::pair(a->second.served, a->second.since) <
           std::pair(b->second.served, b->second.since);
  }
  // Of a flow's lines, in the order in which they have their turn.
  static std::vector<int> Turns(const Flow& flow);
  // Flows that `rules` allow, whose turn it is first.
  std::vector<Flows::iterator> InTurn(const TakeRules& rules);
  FairQueueItem Take(Flows::iterator flow, int priority, size_t index);
  // Raises level_ by `most`, or to the least served of those present.
  void Creep(double most);
  // It has no items any more.
  void Leave(Flows::iterator flow);

  Flows flows_;
  std::map<std::string, double> served_before_;  // over level_, of who left
  double level_ = 0;                             // where newcomers start
  uint64_t arrived_ = 0;                         // flows that came
  size_t size_ = 0;
  int left_ = 0;  // times in a row that jobs were left to others
};

}  // namespace genzo

#endif  // GENZO_QUEUE_FAIR_QUEUE_H_
