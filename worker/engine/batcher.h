#ifndef GENZO_WORKER_ENGINE_BATCHER_H_
#define GENZO_WORKER_ENGINE_BATCHER_H_

#include <compare>
#include <map>
#include <vector>

#include "absl/types/span.h"

namespace genzo {

// What the choice of a batch may depend on, for one live run.
struct Candidate {
  int shape = 0;       // equal for runs that may share an evaluation
  int tenant = 0;      // whose share of the device it uses
  double weight = 1;   // of its priority, over 0
  int rows = 1;        // at least 1
  double cost = 1;     // of one step, in any unit that all share; over 0
  double slack = 0;    // seconds until it should have started
  int waited = 0;      // evaluations since it last ran or joined
  bool fresh = false;  // has not run yet
  bool fills = false;  // its evaluations are filled up to the cap
};

// What is known of runs of one shape.
struct ShapeLimits {
  int row_cap = 1;  // of an evaluation
  // What an evaluation of 1, 2, ... rows takes, in any unit. More rows, or any
  // where it is empty, take in proportion.
  std::vector<double> times = {};
};

// Who is owed what between choices, in cost units. Starts empty; belongs to one
// device.
struct FairShares {
  struct Flow {
    int tenant;
    double weight;
    int shape;
    auto operator<=>(const Flow&) const = default;
  };
  struct Share {
    double deficit = 0;
    int64_t last_led = 0;  // number of the choice that it last led
  };
  std::map<Flow, Share> flows;
  std::map<int, double> debts;  // of tenants; under 0: less than its share
  int64_t choices = 0;
  int64_t debtor_led = 0;  // number of the choice that an aged debtor last led
};

// Chooses which runs share the next evaluation. Deficit round robin over
// (tenant, shape) in cost units (Shreedhar & Varghese, 1995): what an
// evaluation costs is charged to the flows that ran and credited to all by
// weight, and the flow that is owed most leads the next one. A run that has not
// started counts as if its flow were owed kStartCredit steps more, so that it
// starts soon. A tenant's weight is split over its flows, so shapes do not
// multiply it. The leader's shape is filled up to its cap in the same order.
// Within a flow: runs that have not started, then least slack.
//
// A tenant that used far more than its share is in debt to the others until
// they have caught up; what it uses alone counts while it has more runs than
// fit, as whoever comes then should not wait for its backlog. Its flows stand
// aside: its runs join evaluations that others lead only as far as these take
// at most kGuestSlowdown times what they take without them. What a flood adds
// to a step is all that the others feel of it.
//
// A run that has waited `max_wait` evaluations, kDebtorPatience times that in
// debt, goes before all that; those in debt every kDebtorTurn evaluations only,
// as a flood ages all at once. No run ever waits longer than that plus the
// number of live runs, kDebtorTurn times that number in debt.
//
// Pure: no clock, no lock, no tensors, so every question of policy can be
// answered in a unit test.
class Batcher {
 public:
  // Steps that a tenant must owe to be in debt.
  static constexpr double kDebt = 128;
  // Steps that a tenant can owe or a flow be owed: more is forgotten.
  static constexpr double kMostOwed = 256;
  static constexpr int kDebtorPatience = 8;
  static constexpr int kDebtorTurn = 4;
  static constexpr double kStartCredit = 16;

  explicit Batcher(int max_wait) : max_wait_(max_wait) {}

  // Returns indices into `candidates`, all of one shape, with at most
  // the `row_cap` of `shapes[shape]` but always one run; the first is the
  // leader. Empty only if `candidates` is empty. Updates `shares`.
  std::vector<int> Pick(absl::Span<const Candidate> candidates,
                        absl::Span<const ShapeLimits> shapes,
                        FairShares& shares) const;

 private:
  const int max_wait_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_BATCHER_H_
