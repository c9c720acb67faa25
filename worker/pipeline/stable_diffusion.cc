#include "worker/pipeline/stable_diffusion.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "ATen/ops/zeros_like.h"
#include "base/errors.h"
#include "base/request_rules.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/guidance_phases.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/picture_depth.h"

namespace genzo {
namespace {

double ImageScaleOf(const v1::GenerateRequest& request) {
  return request.has_image_guidance_scale() ? request.image_guidance_scale()
                                            : kDefaultImageGuidanceScale;
}

// The reference's pipeline guides neither by the text nor by the picture where
// the picture's weight is below 1.
int RowsOfRequest(const PipelineTraits& traits,
                  const v1::GenerateRequest& request) {
  const bool follows_picture = traits.guided_rows == 3;
  return follows_picture && ImageScaleOf(request) < 1
             ? traits.rows
             : RowsOf(traits, request.guidance_scale());
}

}  // namespace

PromptRows StableDiffusion::PromptsOf(const v1::GenerateRequest& request,
                                      const TextPlan& plan,
                                      const LearnedWords& learned) const {
  const WindowRules rules = RulesOf(request, learned);
  PromptRows rows;
  for (const RequestTexts& texts : plan.texts) {
    // As in the reference pipeline, clip_skip does not touch the negative
    // prompt.
    rows.resize(rows.size() + RowsOfRequest(traits_, request) - 1,
                {ReadWindows(text_->tokenizer, texts.negative_prompt, rules)});
    rows.push_back({ReadWindows(text_->tokenizer, texts.prompt, rules),
                    request.clip_skip()});
  }
  EqualiseWindows({{text_->tokenizer, rules, rows}});
  return rows;
}

at::Tensor StableDiffusion::PictureRows(const LatentDistribution& picture,
                                        int64_t rows) const {
  std::vector<at::Tensor> images(rows, picture.mean);
  if (rows > 1) images[0] = at::zeros_like(picture.mean);
  return at::cat(images).to(placement_.device, placement_.dtype);
}

absl::StatusOr<Encoded> StableDiffusion::EncodeOne(
    const EncodeTask& task, const TextPlan& plan,
    absl::Span<const TextEmbedding> rows) const {
  Encoded encoded;
  EncodePicture(task, *codec_, sight_, encoded);
  const size_t rows_each = rows.size() / plan.texts.size();
  Conditioning conditioning;
  if (embeds_guidance_) {
    conditioning.numbers =
        at::full({1, 1}, task.request.guidance_scale() - 1, at::kFloat);
  }
  const auto beside = Beside(task, encoded, static_cast<int64_t>(rows_each));
  if (!beside.ok()) return beside.status();
  conditioning.image = *beside;
  if (follows_picture()) encoded.picture = {};  // the walk begins at noise
  std::vector<Conditioning> texts;
  std::vector<Conditioning> for_controls;
  for (size_t text = 0; text < plan.texts.size(); ++text) {
    std::vector<at::Tensor> tokens;
    for (size_t row = 0; row < rows_each; ++row) {
      tokens.push_back(rows[text * rows_each + row][0]);
    }
    conditioning.tokens = at::cat(tokens);
    texts.push_back(conditioning);
    for_controls.push_back({.tokens = conditioning.tokens});
  }
  auto prepared =
      PrepareAdapted(*denoiser_, std::move(texts), plan.from, task.adapters,
                     static_cast<int>(task.request.steps()));
  if (!prepared.ok()) return prepared.status();
  encoded.prepared = {
      WithPictures(*std::move(prepared), task.image_prompts, picture_order_)};
  auto controls = PrepareControls(task.controls, for_controls, plan.from);
  if (!controls.ok()) return controls.status();
  encoded.controls = *std::move(controls);
  return encoded;
}

absl::StatusOr<at::Tensor> StableDiffusion::DepthOf(
    const EncodeTask& task) const {
  at::Tensor depth = task.depth;
  if (!depth.defined() && depth_estimator_ == nullptr) {
    return absl::FailedPreconditionError(
        "the model's folder has no depth_estimator to see how deep a picture "
        "is");
  }
  if (!depth.defined()) depth = depth_estimator_->forward(task.picture).cpu();
  const int64_t scale = codec_->pixels_per_latent();
  return DepthBeside(depth, task.picture.size(2) / scale,
                     task.picture.size(3) / scale);
}

absl::StatusOr<at::Tensor> StableDiffusion::Beside(const EncodeTask& task,
                                                   const Encoded& encoded,
                                                   int64_t rows) const {
  if (channels_beside_ == 0) return at::Tensor();
  if (!task.picture.defined()) {
    return InvalidFieldsError(
        {{"image_to_image",
          "image_to_image is missing: the model follows a picture"}});
  }
  if (follows_picture()) return PictureRows(encoded.picture, rows);
  if (sight_ == MaskSight::kNothing) {
    const auto depth = DepthOf(task);
    if (!depth.ok()) return depth.status();
    return depth->expand({rows, -1, -1, -1})
        .to(placement_.device, placement_.dtype);
  }
  return at::Tensor();  // each image draws its own
}

std::vector<absl::StatusOr<Encoded>> StableDiffusion::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  const LearnedWords learned = text_->WordsOf(tasks[0].embeddings);
  std::vector<TextPlan> plans;
  std::vector<PromptRows> prompts;
  for (const EncodeTask& task : tasks) {
    plans.push_back(PlanTextsOf(task));
    prompts.push_back(PromptsOf(task.request, plans.back(), learned));
  }
  const auto rows =
      EncodeRows(prompts, tasks, together, texts,
                 {.owner = this,
                  .component = "text_encoder",
                  .device = placement_.device,
                  .encode = [&](const at::Tensor& ids, int64_t clip_skip,
                                const EvalContext& adapters) {
                    return std::vector<at::Tensor>{text_->encoder.forward(
                        ids, clip_skip, adapters, learned)};
                  }});
  std::vector<absl::StatusOr<Encoded>> encoded;
  for (size_t i = 0; i < tasks.size(); ++i) {
    encoded.push_back(EncodeOne(tasks[i], plans[i], rows[i]));
  }
  return encoded;
}

PreparedRef StableDiffusion::PrepareEmpty() const {
  c10::InferenceMode inference;
  Conditioning conditioning = {.tokens = EncodeTexts({""}, /*clip_skip=*/0)};
  if (embeds_guidance_) conditioning.numbers = at::zeros({1, 1});
  if (channels_beside_ > 0) {
    conditioning.image = at::zeros({1, channels_beside_, 1, 1});
  }
  return *denoiser_->Prepare(conditioning);
}

absl::StatusOr<std::vector<Stage>> StableDiffusion::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  return PlanWith(image.request.sampler(), scheduler_, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusion::PlanBy(
    const nlohmann::json& scheduler, const ImageRequest& image,
    const Encoded& encoded) const {
  const auto sampler = DefaultSampler(scheduler);
  if (!sampler.ok()) return sampler.status();
  return PlanWith(*sampler, scheduler, image, encoded);
}

absl::StatusOr<std::vector<Stage>> StableDiffusion::PlanWith(
    SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  const auto begun = PictureStartOf(image, encoded, *codec_, sight_);
  if (!begun.ok()) return begun.status();
  auto walk =
      CreateWalk(sampler, scheduler, request, OptionsOf(request), begun->start);
  if (!walk.ok()) return walk.status();
  std::vector<Stage> stages(1);
  stages[0] = {
      .denoiser = denoiser_.get(),
      .prepared = SeeBeside(encoded.prepared[0], begun->beside, placement_),
      .guidance = {.rows = RowsOfRequest(traits_, request),
                   .scale = request.guidance_scale(),
                   .image_scale = ImageScaleOf(request),
                   .rescale = request.guidance_rescale()},
      .sampler = KeepKnown(*std::move(walk), begun->known),
      .controls = ControlsOf(encoded),
      .begin = nullptr};
  PlanPhases(request, /*first_step=*/0, stages[0]);
  return stages;
}

at::Tensor StableDiffusion::EncodeTexts(const std::vector<std::string>& texts,
                                        int64_t clip_skip,
                                        const EvalContext& adapters) const {
  c10::InferenceMode inference;
  return text_->encoder.forward(text_->IdsOf(texts, placement_.device),
                                clip_skip, adapters);
}

}  // namespace genzo
