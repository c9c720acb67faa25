#ifndef GENZO_WORKER_ENGINE_STEP_SCHEDULER_H_
#define GENZO_WORKER_ENGINE_STEP_SCHEDULER_H_

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "queue/admission.h"
#include "queue/fair_queue.h"
#include "worker/engine/batcher.h"

namespace genzo {

// What a device may go by when it comes for a job.
struct TakeFacts {
  // Images that run or are about to, by tenant; what these wait for, as texts
  // or adapters, comes without another model's leaving.
  TenantCounts live = {};
  size_t parked = 0;                 // images that wait for their model
  std::set<std::string> ready = {};  // models in memory
  size_t models = 0;                 // that may be asked for
  bool others_are_freer = false;
};

// All that one device decides: whom to take from the queue, and whom to pick
// for the next evaluation. The engine and the simulator both call it, so what
// is simulated is what serves. No clock, no lock, no tensors; its only state is
// who is owed what.
class StepScheduler {
 public:
  // Of the places, those that images may take up until their models are loaded:
  // a flood for one that is not keeps nobody from those that are.
  static constexpr double kParkedShare = 0.5;

  // `max_live_runs` images may be live, shared as TenantsWithEnough() does.
  StepScheduler(size_t max_live_runs, int max_wait_steps)
      : max_live_runs_(max_live_runs), batcher_(max_wait_steps) {}

  // What the device would take next; nullopt if it has no room. On a device
  // without live images nobody owes anything any more.
  std::optional<TakeRules> WhomToTake(const TakeFacts& facts);

  // As Batcher::Pick().
  std::vector<int> WhomToPick(const Candidates& candidates);
  // As Ledger::owing(), of the last pick.
  const std::set<std::string>& owing() const { return ledger_.owing(); }

 private:
  const size_t max_live_runs_;
  const Batcher batcher_;
  Ledger ledger_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_STEP_SCHEDULER_H_
