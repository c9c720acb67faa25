#ifndef GENZO_WORKER_PIPELINE_STAGE_H_
#define GENZO_WORKER_PIPELINE_STAGE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "worker/denoiser/control_network.h"
#include "worker/denoiser/denoiser.h"
#include "worker/pipeline/guidance.h"
#include "worker/sampler/sampler.h"

namespace genzo {

// The way of a latent to a stage that begins at another size: through pixels.
struct PixelHop {
  std::string upscaler;  // by which they are enlarged
  int64_t width = 0;     // pixels
  int64_t height = 0;
};

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

  // Set where it begins at what the stage before gave only once somebody, who
  // is not the step loop, has carried that through pixels.
  std::optional<PixelHop> through_pixels = {};
  int64_t pixels = 0;    // of the picture that it walks on; 0: the request's
  int steps_before = 0;  // that its sampler leaves out, and counts as done
  bool inverts = false;  // it walks up to where the next one begins

  // Goes on to the phase of the sampler's next step. Whether anything changed.
  bool EnterPhase();
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STAGE_H_
