#include "worker/engine/live_run.h"

#include <exception>
#include <optional>

#include "base/errors.h"
#include "base/logging.h"
#include "base/request_rules.h"
#include "base/upscale_plan.h"
#include "worker/device/exception_status.h"
#include "worker/engine/hires.h"
#include "worker/engine/inversion.h"
#include "worker/sampler/cuda_noise.h"

namespace genzo {

namespace {

// What the passes beside the first ask. Once for all images of a job: they hold
// its pictures, too.
struct OtherPasses {
  explicit OtherPasses(const v1::GenerateRequest& request) {
    if (request.image_to_image().has_inversion()) up = InversionPass(request);
    if (request.has_hires()) second = SecondPass(request);
  }
  std::optional<v1::GenerateRequest> up;
  std::optional<v1::GenerateRequest> second;
};

// One image's run, or LibTorch's exception.
absl::StatusOr<std::unique_ptr<LiveRun>> BuildRun(
    const std::shared_ptr<JobState>& job, const OtherPasses& others,
    const Encoded& encoded, uint32_t index) {
  const v1::GenerateRequest& request = job->request();
  // Variations of one noise differ in the other seed.
  const bool varies = request.variation().strength() > 0;
  const uint64_t seed = request.seed() + (varies ? 0 : index);
  const auto image = [&](const v1::GenerateRequest& pass) {
    return ImageRequest{.request = pass,
                        .noise = MakeNoise(request.noise_generator(), seed)};
  };
  ImageRequest first = image(request);
  first.seed = seed;
  first.variation_seed = request.variation().seed() + index;
  auto stages = job->model().Plan(first, encoded);
  if (!stages.ok()) return stages.status();
  absl::Status added;
  if (others.up.has_value()) {
    added = AddInversion(job->model(), image(*others.up), encoded, *stages);
  }
  if (added.ok() && others.second.has_value()) {
    added = AddSecondPass(job->model(), request.hires(), image(*others.second),
                          encoded, *stages);
  }
  if (!added.ok()) return added;
  return std::make_unique<LiveRun>(
      LiveRun{.run = Run(*std::move(stages)),
              .job = job,
              .image_index = static_cast<int>(index),
              .seed = seed});
}

absl::StatusOr<std::unique_ptr<LiveRun>> BuildOrResumeRun(
    const std::shared_ptr<JobState>& job, const OtherPasses& others,
    const Encoded& encoded, uint32_t index) {
  auto built = BuildRun(job, others, encoded, index);
  const std::string kept = job->KeptRun(static_cast<int>(index));
  if (!built.ok() || kept.empty()) return built;
  const absl::Status restored = (*built)->run.Restore(kept);
  if (restored.ok()) return built;
  spdlog::warn("image {} of job {} begins anew: {}", index, job->id(),
               std::string(restored.message()));
  return BuildRun(job, others, encoded, index);
}

}  // namespace

JobDemand DemandOfStage(const LiveRun& live) {
  JobDemand demand = live.job->demand();
  const int64_t pixels = live.run.stage().pixels;
  if (pixels > 0) demand.pixels = pixels;
  return demand;
}

absl::StatusOr<std::vector<std::unique_ptr<LiveRun>>> BuildRuns(
    const std::shared_ptr<JobState>& job, const Encoded& encoded) {
  const OtherPasses others(job->request());
  std::vector<std::unique_ptr<LiveRun>> runs;
  for (uint32_t i = 0; i < ImagesDrawn(job->request()); ++i) {
    if (!job->Wanted(static_cast<int>(i))) continue;
    try {
      auto run = BuildOrResumeRun(job, others, encoded, i);
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
