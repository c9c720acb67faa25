#include <optional>
#include <utility>

#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/guidance_phases.h"
#include "worker/pipeline/stable_diffusion_xl.h"
#include "worker/pipeline/walk_part.h"

// How a request becomes stages: the base's steps, and its refiner's.

namespace genzo {
namespace {

SamplerOptions WalkOptions(const v1::GenerateRequest& request) {
  SamplerOptions options = OptionsOf(request);
  options.sdxl = true;
  return options;
}

// Where a network takes over that walks by `scheduler`, and what is before it
// of a walk from `first_step`; nullopt if the request has none do so, or
// nothing is left for it. Errors are PlanOf()'s.
absl::StatusOr<std::optional<Handover>> HandoverOf(
    const v1::GenerateRequest& request, SamplerId sampler,
    const nlohmann::json& scheduler, int first_step, int num_train_timesteps) {
  if (!request.refiner().has_switch_at()) return std::nullopt;
  absl::Status planned;
  const auto plan_from = [&](int step) {
    auto plan = PlanOf(sampler, FromProto(request.schedule()), scheduler,
                       WalkOptions(request), step);
    planned.Update(plan.status());
    return std::move(plan).value_or(WalkPlan());
  };
  const auto handover =
      HandoverAt(plan_from, first_step, request.refiner().switch_at(),
                 num_train_timesteps);
  if (!planned.ok()) return planned;
  return handover;
}

}  // namespace

absl::StatusOr<std::vector<Stage>> StableDiffusionXL::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  return PlanWith(image.request.sampler(), scheduler_, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionXL::PlanBy(
    const nlohmann::json& scheduler, const ImageRequest& image,
    const Encoded& encoded) const {
  const auto sampler = DefaultSampler(scheduler);
  if (!sampler.ok()) return sampler.status();
  return PlanWith(*sampler, scheduler, image, encoded);
}

Stage StableDiffusionXL::StageOf(const v1::GenerateRequest& request,
                                 PreparedRef prepared,
                                 std::unique_ptr<SamplerRun> walk,
                                 int first_step,
                                 std::vector<StageControl> controls) const {
  Stage stage = {.denoiser = denoiser_.get(),
                 .prepared = std::move(prepared),
                 .guidance = {.rows = RowsOf(traits_, request.guidance_scale()),
                              .scale = request.guidance_scale(),
                              .rescale = request.guidance_rescale()},
                 .sampler = std::move(walk),
                 .controls = std::move(controls),
                 .begin = nullptr};
  PlanPhases(request, first_step, stage);
  return stage;
}

absl::StatusOr<Stage> StableDiffusionXL::StageFrom(
    int step, SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, PreparedRef prepared,
    const KnownPart& known) const {
  const v1::GenerateRequest& request = image.request;
  const int steps = static_cast<int>(request.steps());
  const int64_t scale = codec_->pixels_per_latent();
  // The latent is the other's; this only has its shape.
  const at::Tensor latent =
      at::zeros({1, codec_->latent_channels(), request.height() / scale,
                 request.width() / scale});
  auto walk = CreateWalk(sampler, scheduler, request, WalkOptions(request),
                         {.noise = latent,
                          .sample = latent,
                          .first_step = step,
                          .source = image.noise});
  if (!walk.ok()) return walk.status();
  const int evaluations = (*walk)->progress().evaluations;
  return StageOf(
      request, PreparedFrom(prepared, step),
      std::make_unique<WalkPart>(KeepKnown(*std::move(walk), known),
                                 StepRange{step, steps}, evaluations),
      step);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionXL::PlanWith(
    SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  std::vector<Stage> stages;
  if (is_refiner()) {
    const auto handover = HandoverOf(request, sampler, scheduler,
                                     /*first_step=*/0, traits_.max_steps);
    if (!handover.ok()) return handover.status();
    if (handover->has_value()) {
      auto stage = StageFrom((*handover)->step, sampler, scheduler, image,
                             encoded.prepared[0], /*known=*/{});
      if (!stage.ok()) return stage.status();
      stages.push_back(*std::move(stage));
      return stages;
    }
  }
  const auto begun = PictureStartOf(image, encoded, *codec_, sight_);
  if (!begun.ok()) return begun.status();
  const auto& [start, known, beside] = *begun;
  auto at = HandoverOf(request, sampler, scheduler, start.first_step,
                       traits_.max_steps);
  if (!at.ok()) return at.status();
  std::optional<Handover> handover = *at;
  // Its own file may space the same steps otherwise; the timestep is the same.
  std::optional<Handover> taken;
  if (refiner_ != nullptr && handover.has_value()) {
    auto by_refiner = HandoverOf(request, sampler, refiner_->scheduler_,
                                 /*first_step=*/0, refiner_->traits_.max_steps);
    if (!by_refiner.ok()) return by_refiner.status();
    taken = *by_refiner;
    // What it has no step for, the base walks to the end.
    if (!taken.has_value()) handover = std::nullopt;
  }
  // Nothing is left for the base where a picture enters behind it.
  const bool refiner_alone =
      refiner_ != nullptr && handover.has_value() && handover->evaluations == 0;
  auto created =
      CreateWalk(sampler, refiner_alone ? refiner_->scheduler_ : scheduler,
                 request, WalkOptions(request), start);
  if (!created.ok()) return created.status();
  auto walk = KeepKnown(*std::move(created), known);
  if (refiner_alone) {
    stages.push_back(
        refiner_->StageOf(request, encoded.prepared[1], std::move(walk)));
    return stages;
  }
  const PreparedRef prepared =
      SeeBeside(encoded.prepared[0], beside, placement_);
  if (!handover.has_value()) {
    stages.push_back(StageOf(request, prepared, std::move(walk),
                             /*first_step=*/0, ControlsOf(encoded)));
    return stages;
  }
  stages.push_back(StageOf(
      request, prepared,
      std::make_unique<WalkPart>(std::move(walk), StepRange{0, handover->step},
                                 handover->evaluations),
      /*first_step=*/0, ControlsOf(encoded)));
  if (refiner_ == nullptr) return stages;
  auto refined = refiner_->StageFrom(taken->step, sampler, refiner_->scheduler_,
                                     image, encoded.prepared[1], known);
  if (!refined.ok()) return refined.status();
  stages.push_back(*std::move(refined));
  return stages;
}

}  // namespace genzo
