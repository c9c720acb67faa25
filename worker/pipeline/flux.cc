#include "worker/pipeline/flux.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "base/guidance_rules.h"
#include "base/request_rules.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/pipeline/guidance_phases.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "flux";
constexpr int64_t kPack = 2;  // places of a latent that are one token, each way
constexpr int64_t kDefaultSampleSize = 128;  // of a latent's side
// Tokens of T5 that a distilled network was trained with.
constexpr int64_t kSchnellSequenceLength = 256;
constexpr const char* kFields[] = {"prompt_2",
                                   "negative_prompt_2",
                                   "true_guidance_scale",
                                   "max_sequence_length",
                                   "image_to_image.strength",
                                   "guidance.start",
                                   "guidance.end",
                                   "variation",
                                   "keep_latents",
                                   "start_latents",
                                   "loras"};

int RowsOfRequest(const v1::GenerateRequest& request) {
  return IsGuided(request.true_guidance_scale()) ? 2 : 1;
}

// The texts of a task's rows for one encoder, the negative first. `reading` is
// what the encoder is told besides.
std::vector<EncoderText> RowTexts(const v1::GenerateRequest& request,
                                  const std::string& negative,
                                  const std::string& positive,
                                  int64_t reading) {
  std::vector<EncoderText> texts;
  if (RowsOfRequest(request) == 2) texts.push_back({negative, reading});
  texts.push_back({positive, reading});
  return texts;
}

// As the reference pipeline spaces them, before any shift.
std::vector<double> Sigmas(int steps) {
  std::vector<double> sigmas;
  for (int i = 0; i < steps; ++i) {
    sigmas.push_back(1 - static_cast<double>(i) / steps);
  }
  return sigmas;
}

}  // namespace

absl::Status Flux::LoadTransformer(const ModelIndex& index, Parts& parts) {
  const auto opened =
      OpenComponent(index, "transformer", "FluxTransformer2DModel",
                    ReadFluxConfig, parts.placement);
  if (!opened.ok()) return opened.status();
  parts.config = opened->config;
  parts.transformer = RecordOn(
      parts.placement,
      std::make_unique<FluxTransformer>(opened->config, opened->weights));
  parts.transformer_bytes = opened->weights.taken_bytes();
  const auto& tensors = opened->weights.source();
  parts.targets->Add("denoiser", tensors);
  parts.targets->AddNames("denoiser", FluxNames(tensors->entries()));
  // XLabs' name of a part of the original's `linear1`.
  const std::string ours = "single_transformer_blocks.#.attn.to_";
  parts.targets->AddNames("denoiser",
                          {{"single_blocks.#.qkv.*",
                            {ours + "q.*", ours + "k.*", ours + "v.*"},
                            NameRule::kRows}});
  parts.targets->Add("text_encoder", parts.clip->tensors,
                     ClipTower::Unadapted());
  return opened->weights.Finish();
}

absl::Status Flux::CheckFit(const std::string& folder, const Parts& parts) {
  const FluxConfig& network = parts.config;
  const auto differs = [&](const std::string& what, int64_t own,
                           const std::string& whose, int64_t other) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": transformer ", what, " ", own,
                     " does not fit the ", whose, " ", other));
  };
  const int64_t packed = parts.codec->latent_channels() * kPack * kPack;
  const int64_t with_mask =
      packed + SightChannels(MaskSight::kPlaces, *parts.codec) * kPack * kPack;
  if ((network.in_channels != packed && network.in_channels != with_mask) ||
      network.out_channels != packed) {
    return differs("in_channels", network.in_channels,
                   "autoencoder's latent_channels, packed:", packed);
  }
  if (network.pooled_projection_dim != parts.clip->config.hidden_size) {
    return differs("pooled_projection_dim", network.pooled_projection_dim,
                   "CLIP encoder's hidden_size",
                   parts.clip->config.hidden_size);
  }
  if (network.joint_attention_dim != parts.t5->config().d_model) {
    return differs("joint_attention_dim", network.joint_attention_dim,
                   "T5 encoder's d_model", parts.t5->config().d_model);
  }
  return absl::OkStatus();
}

absl::Status Flux::SetTraits(const ModelIndex& index, Parts& parts) {
  PipelineTraits& traits = parts.traits;
  traits.family = kFamily;
  traits.tasks = {v1::TASK_TEXT_TO_IMAGE, v1::TASK_IMAGE_TO_IMAGE,
                  v1::TASK_INPAINTING};
  traits.guided_rows = 1;
  traits.defaults.steps = parts.config.guidance_embeds ? 28 : 4;
  traits.defaults.guidance_scale = parts.config.guidance_embeds ? 3.5 : 0;
  if (parts.config.in_channels > parts.config.out_channels) {
    traits.tasks = {v1::TASK_INPAINTING};
    traits.defaults.steps = 50;
    traits.defaults.guidance_scale = 30;
  }
  traits.request_fields = {std::begin(kFields), std::end(kFields)};
  TakeControls(ControlFitOf(parts.config), /*guesses=*/false, traits);
  const absl::Status status =
      ReadTraits(index, parts.scheduler, *parts.codec,
                 Sides::Square(kDefaultSampleSize), traits);
  traits.size_multiple = parts.codec->pixels_per_latent() * kPack;
  return status;
}

absl::StatusOr<std::unique_ptr<const Pipeline>> Flux::Load(
    const ModelIndex& index, const Placement& placement) {
  Parts parts;
  parts.placement = placement;
  auto clip = ClipTower::Load(index, "tokenizer", "text_encoder", placement);
  if (!clip.ok()) return clip.status();
  parts.clip = *std::move(clip);
  auto t5 = T5Tower::Load(index, "tokenizer_2", "text_encoder_2", placement);
  if (!t5.ok()) return t5.status();
  parts.t5 = *std::move(t5);
  auto codec = AutoencoderKLCodec::Load(index, placement);
  if (!codec.ok()) return codec.status();
  parts.codec = *std::move(codec);
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  parts.scheduler = *std::move(scheduler);
  absl::Status status = LoadTransformer(index, parts);
  if (status.ok()) status = CheckFit(index.folder, parts);
  if (status.ok()) status = SetTraits(index, parts);
  if (!status.ok()) return status;
  return std::unique_ptr<const Pipeline>(new Flux(std::move(parts)));
}

absl::StatusOr<ModelBytes> Flux::WeightBytes(const ModelIndex& index,
                                             const Placement& placement) {
  const auto bytes = ComponentBytes(
      index, {"text_encoder", "text_encoder_2", "transformer"}, placement);
  const auto codec = CodecBytes(index, placement);
  if (!bytes.ok() || !codec.ok()) return bytes.ok() ? codec : bytes;
  return *bytes + *codec;
}

int64_t Flux::SequenceLength(const v1::GenerateRequest& request) const {
  if (request.has_max_sequence_length()) return request.max_sequence_length();
  return parts_.config.guidance_embeds ? kMaxSequenceLength
                                       : kSchnellSequenceLength;
}

absl::StatusOr<Encoded> Flux::Prepare(
    const EncodeTask& task, const std::vector<TextEmbedding>& clip,
    const std::vector<TextEmbedding>& t5) const {
  const v1::GenerateRequest& request = task.request;
  std::vector<at::Tensor> tokens, pooled;
  for (const TextEmbedding& row : t5) tokens.push_back(row[0]);
  for (const TextEmbedding& row : clip) pooled.push_back(row[0]);
  Conditioning conditioning = {.tokens = at::cat(tokens),
                               .pooled = at::cat(pooled)};
  if (parts_.config.guidance_embeds) {
    conditioning.numbers = at::full(
        {static_cast<int64_t>(t5.size()), 1}, task.request.guidance_scale(),
        at::TensorOptions(parts_.placement.device).dtype(at::kFloat));
  }
  auto prepared =
      PrepareAdapted(*parts_.transformer, conditioning, task.adapters,
                     static_cast<int>(request.steps()));
  if (!prepared.ok()) return prepared.status();
  Encoded encoded;
  encoded.prepared = {*std::move(prepared)};
  // As in the reference, what the prompt's row gives is for all rows.
  auto controls = PrepareControls(task.controls, conditioning,
                                  ControlRows::kLastForAll, parts_.codec.get());
  if (!controls.ok()) return controls.status();
  encoded.controls = *std::move(controls);
  return encoded;
}

std::vector<absl::StatusOr<Encoded>> Flux::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  TextLists for_clip, for_t5;
  for (const EncodeTask& task : tasks) {
    const v1::GenerateRequest& request = task.request;
    for_clip.push_back(RowTexts(request, request.negative_prompt(),
                                request.prompt(), /*reading=*/0));
    for_t5.push_back(RowTexts(
        request, TextOr(request.negative_prompt_2(), request.negative_prompt()),
        TextOr(request.prompt_2(), request.prompt()), SequenceLength(request)));
  }
  const auto clip = EncodeAdapted(
      std::move(for_clip), tasks, "text_encoder", together, parts_.clip.get(),
      texts,
      [&](const std::vector<std::string>& strings, int64_t /*reading*/,
          const EvalContext& adapters) {
        return std::vector<at::Tensor>{
            parts_.clip->encoder
                .EncodePooled(
                    parts_.clip->IdsOf(strings, parts_.placement.device),
                    /*skipped=*/0, adapters)
                .pooled};
      });
  const auto t5 = EncodeLists(
      for_t5, together, parts_.t5.get(), texts,
      [&](const std::vector<std::string>& strings, int64_t length) {
        return std::vector<at::Tensor>{parts_.t5->Encode(strings, length)};
      });
  std::vector<absl::StatusOr<Encoded>> encoded;
  for (size_t i = 0; i < tasks.size(); ++i) {
    auto one = Prepare(tasks[i], clip[i], t5[i]);
    if (one.ok()) EncodePicture(tasks[i], *parts_.codec, sight(), *one);
    encoded.push_back(std::move(one));
  }
  return encoded;
}

PreparedRef Flux::PrepareEmpty() const {
  const v1::GenerateRequest request;
  TextCache texts(/*max_bytes=*/0);
  const at::Tensor beside =
      sight() == MaskSight::kNothing
          ? at::Tensor()
          : at::zeros({1, SightChannels(sight(), *parts_.codec), 1, 1});
  return SeeBeside(
      Encode({{.request = request}}, /*together=*/false, texts)[0]->prepared[0],
      beside, parts_.placement);
}

absl::StatusOr<std::vector<Stage>> Flux::Plan(const ImageRequest& image,
                                              const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  // Before the walk's noise, as the reference draws it.
  auto controls = DrawControls(encoded, *parts_.codec, *image.noise);
  if (!controls.ok()) return controls.status();
  const auto begun = PictureStartOf(image, encoded, *parts_.codec, sight());
  if (!begun.ok()) return begun.status();
  const SamplerStart& start = begun->start;
  SamplerOptions options = OptionsOf(request);
  options.image_tokens = start.noise[0][0].numel() / (kPack * kPack);
  // The reference gives them to its own sampler, whatever is made of them; the
  // solvers of others have theirs.
  const bool own = request.sampler() == v1::SAMPLER_FLOW_EULER ||
                   request.sampler() == v1::SAMPLER_FLOW_HEUN;
  const bool of_table = request.schedule() == v1::NOISE_SCHEDULE_SGM_UNIFORM ||
                        request.schedule() == v1::NOISE_SCHEDULE_SIMPLE;
  if (own && !of_table && options.sigmas.empty() && options.timesteps.empty()) {
    options.sigmas = Sigmas(options.steps);
  }
  auto walk = CreateFlowWalk(request.sampler(), parts_.scheduler, request,
                             options, start);
  if (!walk.ok()) return walk.status();
  std::vector<Stage> stages(1);
  stages[0] = {.denoiser = parts_.transformer.get(),
               .prepared = SeeBeside(encoded.prepared[0], begun->beside,
                                     parts_.placement),
               .guidance = {.rows = RowsOfRequest(request),
                            .scale = request.true_guidance_scale(),
                            .rescale = request.guidance_rescale()},
               .sampler = KeepKnown(*std::move(walk), begun->known),
               .controls = *std::move(controls),
               .begin = nullptr};
  PlanPhases(request, /*first_step=*/0, stages[0]);
  return stages;
}

}  // namespace genzo
