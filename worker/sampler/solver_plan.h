#ifndef GENZO_WORKER_SAMPLER_SOLVER_PLAN_H_
#define GENZO_WORKER_SAMPLER_SOLVER_PLAN_H_

#include "worker/sampler/scheduler_config.h"
#include "worker/sampler/walk_plan.h"

namespace genzo {

// Where the reference classes of the solvers in lambda differ in their walks.
struct SolverWalk {
  // Timesteps of Karras' sigmas are whole also with cosine betas.
  bool always_round = true;
  // A respaced walk that does not end at sigma 0 stays where it is in its last
  // step; else it goes on to the smallest trained sigma.
  bool respaced_stays = false;
  // Flow matching begins at a share of noise of 1 less this, and is spaced from
  // there down; 0: it begins one training timestep below 1 and is spaced from
  // the picture up. Of sigma 1 there is no logarithm.
  double flow_gap = 0;
  // Karras' sigmas for flow matching are those of the betas, each s / (s + 1)
  // and never shifted; else the flow's own are respaced, as they are for other
  // spacings, of which the references make no numbers.
  bool flow_karras_of_betas = false;
};

// Below this many steps walks end with lower orders (reference: 15).
inline constexpr int kFewSolverSteps = 15;

// A walk of one evaluation a step over variance-preserving levels, or over a
// flow's; of a model trained as EDM, PlanOverSigmas(). One more step than asked
// for is spaced out and the cleanest dropped, so that the walk's last move is
// to sigma 0.
WalkPlan PlanSolver(const SchedulerConfig& config, int steps, int first_step,
                    const SolverWalk& walk);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SOLVER_PLAN_H_
