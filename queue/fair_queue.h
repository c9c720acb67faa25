#ifndef GENZO_QUEUE_FAIR_QUEUE_H_
#define GENZO_QUEUE_FAIR_QUEUE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "queue/job_work.h"
#include "queue/tenant_shares.h"

namespace genzo {

// A job as far as its place in line is concerned.
struct FairQueueItem {
  std::string id;
  std::string tenant;
  double weight = 1;  // of its priority, over 0
  double cost = 1;    // in any unit that all items share
  absl::Time due;     // earlier goes first within a tenant
  std::string model;
};

// The item of a job that should go by `due`.
FairQueueItem QueueItem(const std::string& id, const JobWork& work,
                        absl::Time due);

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

// The line of waiting jobs: fair between tenants, by due time within one. Next
// is the (tenant, priority) that was given least for its weight so far; one
// that comes back starts level with the least of those present (start-time
// fair queueing, Goyal et al., 1996). A job whose model is not preferred is
// passed over at most kMaxPasses times, and no more often in a row are jobs
// left to others before one of those has come. Not thread-safe.
class FairQueue {
 public:
  static constexpr int kMaxPasses = 8;

  void Push(FairQueueItem item);
  std::optional<FairQueueItem> Pop(const TakeRules& rules);
  // Whether Pop() may give something, now or after it left some to others.
  bool HasFor(const TakeRules& rules) const;
  // Whether it was here.
  bool Remove(const std::string& id);

  size_t size() const { return size_; }
  TenantCounts Counts() const;
  // The first `count` ids in the order in which they would leave.
  std::vector<std::string> Order(size_t count) const;

 private:
  using FlowKey = std::pair<std::string, double>;
  struct Waiting {
    FairQueueItem item;
    int passes = 0;
  };
  struct Flow {
    double served = 0;           // cost over weight
    std::vector<Waiting> items;  // by due time
  };

  std::map<FlowKey, Flow> flows_;  // with items
  double level_ = 0;               // the least served at the last Pop
  size_t size_ = 0;
  int left_ = 0;  // times in a row that jobs were left to others
};

}  // namespace genzo

#endif  // GENZO_QUEUE_FAIR_QUEUE_H_
