#ifndef GENZO_WORKER_PIPELINE_STAGE_H_
#define GENZO_WORKER_PIPELINE_STAGE_H_

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "worker/denoiser/control_network.h"
#include "worker/denoiser/denoiser.h"
#include "worker/pipeline/guidance.h"
#include "worker/sampler/sampler.h"

namespace genzo {

// A network that steers some rows of a stage's denoiser.
struct StageControl {
  std::shared_ptr<const ControlNetwork> network = nullptr;
  // A row for each that is steered, or one for all of them.
  PreparedRef prepared = nullptr;
  int first_row = 0;  // of the stage's
  int rows = 1;
  double weight = 1;
  bool fading = false;  // see Weighted()
  // Shares of the walk's evaluations: none before, none behind.
  double begin = 0;
  double end = 1;

  // Whether it steers the evaluation after those that are done.
  bool ActiveAt(const WalkProgress& progress) const {
    const double evaluations = progress.evaluations;
    return weight != 0 && progress.evaluations_done / evaluations >= begin &&
           (progress.evaluations_done + 1) / evaluations <= end;
  }
};

// Steps of a walk that look with other rows than those before.
struct Phase {
  int first_step = 0;  // of the walk's own
  PreparedRef prepared = nullptr;
  Guidance guidance = {};
  std::vector<StageControl> controls = {};
};

// One walk of an image on one denoiser: text-to-image has one; a base and its
// refiner, a prior and its decoder, a cascade have more. Owned and used by the
// step loop.
struct Stage {
  const Denoiser* denoiser = nullptr;  // outlives the stage
  PreparedRef prepared = nullptr;      // guidance.rows rows
  Guidance guidance = {};
  std::unique_ptr<SamplerRun> sampler = nullptr;
  std::vector<StageControl> controls = {};
  // How a later stage begins where the one before it ended; by default its
  // sampler goes on from that latent.
  std::function<absl::Status(Stage& stage, const at::Tensor& latent)> begin =
      nullptr;
  // In order; `prepared`, `guidance` and `controls` become a phase's at its
  // first step.
  std::deque<Phase> phases = {};

  // Goes on to the phase of the sampler's next step. Whether anything changed.
  bool EnterPhase();
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STAGE_H_
