#include "worker/engine/live_run.h"

#include <exception>

#include "base/errors.h"
#include "base/request_rules.h"
#include "worker/device/exception_status.h"
#include "worker/engine/hires.h"
#include "worker/engine/inversion.h"
#include "worker/sampler/cuda_noise.h"

namespace genzo {

absl::StatusOr<std::vector<std::unique_ptr<LiveRun>>> BuildRuns(
    const std::shared_ptr<JobState>& job, const Encoded& encoded) {
  const v1::GenerateRequest& request = job->request();
  std::vector<std::unique_ptr<LiveRun>> runs;
  for (uint32_t i = 0; i < ImagesDrawn(request); ++i) {
    // Variations of one noise differ in the other seed.
    const bool varies = request.variation().strength() > 0;
    const uint64_t seed = request.seed() + (varies ? 0 : i);
    try {
      auto stages = job->model().Plan(
          {.request = request,
           .noise = MakeNoise(request.noise_generator(), seed),
           .seed = seed,
           .variation_seed = request.variation().seed() + i},
          encoded);
      if (!stages.ok()) return stages.status();
      if (request.image_to_image().has_inversion()) {
        const absl::Status added =
            AddInversion(job->model(),
                         {.request = request,
                          .noise = MakeNoise(request.noise_generator(), seed)},
                         encoded, *stages);
        if (!added.ok()) return added;
      }
      if (request.has_hires()) {
        const absl::Status added =
            AddSecondPass(job->model(),
                          {.request = request,
                           .noise = MakeNoise(request.noise_generator(), seed)},
                          encoded, *stages);
        if (!added.ok()) return added;
      }
      runs.push_back(
          std::make_unique<LiveRun>(LiveRun{.run = Run(*std::move(stages)),
                                            .job = job,
                                            .image_index = static_cast<int>(i),
                                            .seed = seed}));
    } catch (const std::exception&) {
      return WithReason(StatusFromException("starting it failed"),
                        kEvaluationFailed);
    }
  }
  return runs;
}

}  // namespace genzo
