#ifndef GENZO_WORKER_ENGINE_BATCHER_H_
#define GENZO_WORKER_ENGINE_BATCHER_H_

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "worker/engine/ledger.h"

namespace genzo {

// What the choice of a batch may depend on, for one live run.
struct Candidate {
  std::string shape = {};   // equal for runs that may share an evaluation
  std::string tenant = {};  // whose share of the device it uses
  int priority = 0;         // higher goes first within a tenant
  int rows = 1;             // at least 1
  double load = 1;          // of each in memory, as of rows of the model alone
  double cost = 1;          // of one step, in any unit that all share; over 0
  double slack = 0;         // seconds until it should have started
  int waited = 0;           // evaluations since it last ran or joined
  bool fresh = false;       // has not run yet
  bool reproducible = false;  // its evaluations are padded up to the cap
};

// What is known of runs of one shape.
struct ShapeLimits {
  int row_cap = 1;  // of an evaluation
  // Rows of the model alone that memory has room for: those with networks
  // beside it take more.
  double memory_rows = std::numeric_limits<double>::infinity();
  // What an evaluation of 1, 2, ... rows takes, in any unit. More rows, or any
  // where it is empty, take in proportion.
  std::vector<double> times = {};

  double TimeOf(int rows) const;
};

// What to choose from.
struct Candidates {
  std::vector<Candidate> runs;
  std::map<std::string, ShapeLimits> shapes;  // of all runs
};

// Chooses which runs share the next evaluation.
//
// Shares. Deficit round robin over (tenant, shape) in cost units (Shreedhar &
// Varghese, 1995): the flow that is owed most, by the Ledger, leads. A run that
// has not started counts as if its flow were owed kStartCredit steps more, so
// that it starts soon. The leader's shape is filled up to its cap in the same
// order. With a cap of 2 rows, a and b each with two runs of the small shape s
// (cost 1) and c with one of the large shape l (cost 4), all of one row,
// batches begin
//
//   a b | c | a b | a b | a b | c | a b | a b
//
// as a step of c's costs as much as four of the others': in the long run each
// gets a third.
//
// Order within a flow. Higher priority first, then runs that have not started,
// then least slack. Flows of a tenant that has runs of a higher priority in
// another only join what others lead.
//
// Debtors. A tenant that used far more than its share is a debtor until the
// others have caught up: its runs join evaluations that others lead only as far
// as these take at most kDebtorSlowdown (queue/forecast.h) times what they take
// without. What a flood adds to a step is all that the others feel of it.
//
// Ageing. A run that has waited `max_wait` evaluations, kDebtorPatience times
// that if its tenant is a debtor, goes before all that; those of debtors every
// kDebtorTurn evaluations only, as a flood ages all at once. So no run ever
// waits longer than that plus the number of live runs, kDebtorTurn times that
// number for a debtor's, whatever its priority.
//
// Pure: no clock, no lock, no tensors, so every question of policy can be
// answered in a unit test.
class Batcher {
 public:
  static constexpr int kDebtorPatience = 8;
  static constexpr int kDebtorTurn = 4;
  static constexpr double kStartCredit = 16;

  explicit Batcher(int max_wait) : max_wait_(max_wait) {}

  // Returns indices into the runs, all of one shape, with at most its `row_cap`
  // rows but always one run; the first is the leader. Empty only if there are
  // no runs. Updates `ledger`.
  std::vector<int> Pick(const Candidates& candidates, Ledger& ledger) const;

 private:
  const int max_wait_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_BATCHER_H_
