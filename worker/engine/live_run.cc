#include "worker/engine/live_run.h"

#include <exception>

#include "base/errors.h"
#include "base/logging.h"
#include "base/request_rules.h"
#include "worker/device/exception_status.h"
#include "worker/engine/hires.h"
#include "worker/engine/inversion.h"
#include "worker/sampler/cuda_noise.h"

namespace genzo {

namespace {

// One image's run, or LibTorch's exception.
absl::StatusOr<std::unique_ptr<LiveRun>> BuildRun(
    const std::shared_ptr<JobState>& job, const Encoded& encoded,
    uint32_t index) {
  const v1::GenerateRequest& request = job->request();
  // Variations of one noise differ in the other seed.
  const bool varies = request.variation().strength() > 0;
  const uint64_t seed = request.seed() + (varies ? 0 : index);
  const auto image = [&] {
    return ImageRequest{.request = request,
                        .noise = MakeNoise(request.noise_generator(), seed)};
  };
  ImageRequest first = image();
  first.seed = seed;
  first.variation_seed = request.variation().seed() + index;
  auto stages = job->model().Plan(first, encoded);
  if (!stages.ok()) return stages.status();
  absl::Status added;
  if (request.image_to_image().has_inversion()) {
    added = AddInversion(job->model(), image(), encoded, *stages);
  }
  if (added.ok() && request.has_hires()) {
    added = AddSecondPass(job->model(), image(), encoded, *stages);
  }
  if (!added.ok()) return added;
  return std::make_unique<LiveRun>(
      LiveRun{.run = Run(*std::move(stages)),
              .job = job,
              .image_index = static_cast<int>(index),
              .seed = seed});
}

absl::StatusOr<std::unique_ptr<LiveRun>> BuildOrResumeRun(
    const std::shared_ptr<JobState>& job, const Encoded& encoded,
    uint32_t index) {
  auto built = BuildRun(job, encoded, index);
  const std::string kept = job->KeptRun(static_cast<int>(index));
  if (!built.ok() || kept.empty()) return built;
  const absl::Status restored = (*built)->run.Restore(kept);
  if (restored.ok()) return built;
  spdlog::warn("image {} of job {} begins anew: {}", index, job->id(),
               std::string(restored.message()));
  return BuildRun(job, encoded, index);
}

}  // namespace

absl::StatusOr<std::vector<std::unique_ptr<LiveRun>>> BuildRuns(
    const std::shared_ptr<JobState>& job, const Encoded& encoded) {
  std::vector<std::unique_ptr<LiveRun>> runs;
  for (uint32_t i = 0; i < ImagesDrawn(job->request()); ++i) {
    if (!job->Wanted(static_cast<int>(i))) continue;
    try {
      auto run = BuildOrResumeRun(job, encoded, i);
      if (!run.ok()) return run.status();
      runs.push_back(*std::move(run));
    } catch (const std::exception&) {
      return WithReason(StatusFromException("starting it failed"),
                        kEvaluationFailed);
    }
  }
  return runs;
}

}  // namespace genzo
