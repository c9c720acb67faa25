#include "worker/engine/publisher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/engine/preview_plan.h"

namespace genzo {

void Publisher::Publish(const Batch& batch, size_t live_runs) {
  const absl::Time now = clock_.Now();
  const auto predicted = load_.PredictAll(now);
  // More than fits in one evaluation: the device has no time for sharp
  // previews that nobody asked for by name.
  const bool busy = batch.runs.size() < live_runs || live_runs > 2;
  for (const LiveRun* live : batch.runs) {
    if (!live->run.step_ended()) continue;
    const auto found = predicted.find(live->job->id());
    live->job->StepDone({.image_index = live->image_index,
                         .progress = live->run.progress(),
                         .batch_rows = batch.rows,
                         .time_left = found == predicted.end()
                                          ? absl::ZeroDuration()
                                          : found->second});
    Show(*live, busy, now);
  }
}

void Publisher::Show(const LiveRun& live, bool busy, absl::Time now) {
  const bool has_tiny = live.job->model().codec().has_tiny();
  const WalkProgress progress = live.run.way_down();
  if (progress.evaluations_done == 0) return;  // on the way up
  DecodeTask task = {.job = live.job,
                     .image_index = live.image_index,
                     .latent = live.run.latent(),
                     .reproducible = live.reproducible,
                     .seed = live.seed,
                     .step = progress.steps_done,
                     .together = live.decoded_together,
                     .submitted = now};
  if (live.run.finished()) {
    KeepLatent(live);
    task.decoder = FinalDecoder(live.job->request().output(), has_tiny);
    return decode_stage_.Submit(std::move(task));
  }
  const v1::PreviewPlan& plan = live.job->request().preview();
  if (!PreviewDue(plan, progress.steps_done)) return;
  task.latent = live.run.denoised();
  task.is_final = false;
  task.decoder = PreviewDecoder(plan, {.step = progress.steps_done,
                                       .steps = progress.steps,
                                       .busy = busy,
                                       .has_tiny = has_tiny});
  decode_stage_.Submit(std::move(task));
}

void Publisher::KeepLatent(const LiveRun& live) {
  JobState& job = *live.job;
  if (!job.request().keep_latents() || latents_ == nullptr) return;
  const std::string name = absl::StrCat(job.id(), "-", live.image_index);
  latents_->Keep(
      job.demand().tenant, name,
      {.latent = live.run.latent(),
       .model = job.demand().model,
       .pixels_per_latent = job.model().codec().pixels_per_latent()});
  job.LatentKept(live.image_index, name);
}

}  // namespace genzo
