#include "worker/pipeline/stable_diffusion_xl.h"

#include <algorithm>
#include <filesystem>

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/guidance_phases.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/size_numbers.h"
#include "worker/pipeline/walk_part.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion-xl";
constexpr char kZeroesEmptyKey[] = "force_zeros_for_empty_prompt";

namespace fs = std::filesystem;

bool HasFolder(const std::string& folder, const std::string& component) {
  std::error_code ignored;
  return fs::is_directory(fs::path(folder) / component, ignored);
}

absl::StatusOr<bool> ZeroesEmptyNegative(const TextFile& file,
                                         bool default_value) {
  if (!file.Exists()) return default_value;
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  const bool zeroes = json->Bool(kZeroesEmptyKey, default_value);
  if (!json->status().ok()) return json->status();
  return zeroes;
}

// What a row of the negative prompt reads in place of an empty text.
TextEmbedding ZerosLike(const TextEmbedding& embedding) {
  TextEmbedding zeros;
  for (const at::Tensor& part : embedding) {
    zeros.push_back(at::zeros_like(part));
  }
  return zeros;
}

// How each tower is asked; the reference counts from the last layer but one.
std::vector<at::Tensor> StatesOf(const ClipTower& tower, const at::Tensor& ids,
                                 int64_t clip_skip,
                                 const EvalContext& adapters = NoAdapters(),
                                 const LearnedWords& learned = {}) {
  const ClipTextStates states =
      tower.encoder.EncodePooled(ids, clip_skip + 1, adapters, learned);
  return {states.hidden, states.pooled};
}

WindowEncoder EncodeBy(const ClipTower& tower, const char* component,
                       const LearnedWords& learned, const at::Device& device) {
  return {.owner = &tower,
          .component = component,
          .device = device,
          .encode = [&tower, &learned](const at::Tensor& ids, int64_t clip_skip,
                                       const EvalContext& adapters) {
            return StatesOf(tower, ids, clip_skip, adapters, learned);
          }};
}

const std::string& OrElse(const std::string& text, const std::string& other) {
  return text.empty() ? other : text;
}

SamplerOptions WalkOptions(const v1::GenerateRequest& request) {
  SamplerOptions options = OptionsOf(request);
  options.sdxl = true;
  return options;
}

}  // namespace

struct StableDiffusionXL::Parts {
  Placement placement;
  std::shared_ptr<const ClipTower> text;
  std::shared_ptr<const ClipTower> text_2;
  Component<UNet2DConditionConfig> unet;
  std::shared_ptr<const AutoencoderKLCodec> codec;
  nlohmann::json scheduler;
  PipelineTraits traits;
  bool zeroes_empty_negative = false;
};

StableDiffusionXL::StableDiffusionXL(Parts parts)
    : placement_(parts.placement),
      text_(std::move(parts.text)),
      text_2_(std::move(parts.text_2)),
      embeds_guidance_(parts.unet.config.embeddings.guidance_width > 0),
      picture_order_(PictureLayersOf(parts.unet.config).order),
      zeroes_empty_negative_(parts.zeroes_empty_negative),
      sight_(parts.unet.config.in_channels == parts.unet.config.out_channels
                 ? MaskSight::kNothing
                 : MaskSight::kLatent),
      denoiser_(RecordOn(parts.placement,
                         std::make_unique<UNet2DConditionModel>(
                             parts.unet.config, parts.unet.weights))),
      codec_(std::move(parts.codec)),
      scheduler_(std::move(parts.scheduler)),
      traits_(std::move(parts.traits)),
      unet_bytes_(parts.unet.weights.taken_bytes()) {
  if (is_refiner()) return;
  traits_.request_fields.emplace_back("loras");
  targets_ = std::make_shared<AdapterTargets>();
  targets_->Add("text_encoder", text_->tensors, ClipTower::Unadapted());
  targets_->Add("text_encoder_2", text_2_->tensors, ClipTower::Unadapted());
  AddUNetTargets(parts.unet.weights, *targets_);
}

absl::StatusOr<StableDiffusionXL::Parts> StableDiffusionXL::ReadParts(
    const StableDiffusionXL* base, const ModelIndex& index,
    const Placement& placement) {
  std::shared_ptr<const ClipTower> text;
  if (index.Has("text_encoder")) {
    auto loaded =
        ClipTower::Load(index, "tokenizer", "text_encoder", placement);
    if (!loaded.ok()) return loaded.status();
    text = *std::move(loaded);
  }
  std::shared_ptr<const ClipTower> text_2;
  if (base != nullptr && !index.Has("text_encoder_2")) {
    text_2 = base->text_2_;
  } else {
    auto loaded =
        ClipTower::Load(index, "tokenizer_2", "text_encoder_2", placement);
    if (!loaded.ok()) return loaded.status();
    text_2 = *std::move(loaded);
  }
  auto unet = OpenComponent(index, "unet", "UNet2DConditionModel",
                            ReadUNet2DConditionConfig, placement);
  if (!unet.ok()) return unet.status();
  std::shared_ptr<const AutoencoderKLCodec> codec;
  if (base != nullptr) {
    codec = base->codec_;  // its latents are the base's
  } else {
    auto loaded = AutoencoderKLCodec::Load(index, placement);
    if (!loaded.ok()) return loaded.status();
    codec = *std::move(loaded);
  }
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  const auto zeroes =
      ZeroesEmptyNegative(index.files.At("model_index.json"), text != nullptr);
  if (!zeroes.ok()) return zeroes.status();
  int64_t layers = text_2->config.num_hidden_layers;
  if (text != nullptr) {
    layers = std::min(layers, text->config.num_hidden_layers);
  }
  return Parts{placement,
               std::move(text),
               std::move(text_2),
               *std::move(unet),
               std::move(codec),
               *std::move(scheduler),
               {.family = kFamily, .tasks = {}, .max_clip_skip = layers - 1},
               *zeroes};
}

absl::Status StableDiffusionXL::CheckFit(const std::string& folder,
                                         Parts& parts) {
  const UNet2DConditionConfig& unet = parts.unet.config;
  const int64_t channels = parts.codec->latent_channels();
  const int64_t beside = unet.in_channels - channels;
  if ((beside != 0 &&
       beside != SightChannels(MaskSight::kLatent, *parts.codec)) ||
      unet.out_channels != channels) {
    return absl::UnimplementedError(absl::StrCat(
        folder, ": unet in_channels ", unet.in_channels, " and out_channels ",
        unet.out_channels, " are not the autoencoder's latent_channels ",
        channels, ", or with those of a mask in"));
  }
  const ClipTextConfig& second = parts.text_2->config;
  const bool is_refiner = parts.text == nullptr;
  const int64_t width =
      second.hidden_size + (is_refiner ? 0 : parts.text->config.hidden_size);
  for (int64_t dim : unet.cross_attention_dim) {
    if (dim == width) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": unet cross_attention_dim ", dim,
        " is not the text encoders' hidden_size ", width, " together"));
  }
  const UNetEmbeddingsConfig& added = unet.embeddings;
  const int64_t projected =
      second.projection_dim > 0 ? second.projection_dim : second.hidden_size;
  const int64_t need =
      projected +
      (is_refiner ? kRefinerNumbers : kSizeNumbers) * added.added_time_width;
  if (added.added_time_width == 0 || added.projection_width != need ||
      added.classes != ClassEmbedding::kNone) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": unet projection_class_embeddings_input_dim ",
        added.projection_width, " is not ", need,
        ", that of addition_embed_type text_time after these text encoders"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StableDiffusionXL>>
StableDiffusionXL::LoadBeside(const StableDiffusionXL* base,
                              const ModelIndex& index,
                              const Placement& placement) {
  auto parts = ReadParts(base, index, placement);
  if (!parts.ok()) return parts.status();
  absl::Status status = CheckFit(index.folder, *parts);
  if (!status.ok()) return status;
  PipelineTraits& traits = parts->traits;
  const UNet2DConditionConfig& unet_config = parts->unet.config;
  traits.defaults.guidance_scale = 5;  // the reference's
  if (unet_config.embeddings.guidance_width > 0) {
    traits.guided_rows = 1;
    traits.defaults.steps = 4;
  }
  status = ReadTraits(index, parts->scheduler, *parts->codec,
                      unet_config.sample_size, traits);
  if (!status.ok()) return status;
  const bool sees_mask = unet_config.in_channels > unet_config.out_channels;
  traits.tasks = {v1::TASK_INPAINTING};
  if (!sees_mask) {
    traits.tasks.insert(traits.tasks.begin(), v1::TASK_IMAGE_TO_IMAGE);
  }
  auto& fields = traits.request_fields;
  fields.insert(fields.end(),
                {"size_conditioning", "prompt_syntax",
                 "guidance.perturbed_attention_scale",
                 "guidance.perturbed_layers", "guidance.text_gate_step",
                 "variation", "keep_latents", "start_latents"});
  if (traits.guided_rows == 2) {
    fields.insert(fields.end(), {"guidance.start", "guidance.end"});
  }
  traits.text_widths = {parts->text == nullptr
                            ? LearnedEmbedding::kAnyWidth
                            : parts->text->config.hidden_size,
                        parts->text_2->config.hidden_size};
  if (parts->text == nullptr) {
    fields.insert(fields.end(), {"refiner.aesthetic_score",
                                 "refiner.negative_aesthetic_score"});
  } else {
    if (!sees_mask) {
      traits.tasks.insert(traits.tasks.begin(), v1::TASK_TEXT_TO_IMAGE);
      fields.emplace_back("hires");
      if (traits.guided_rows == 2) TakeInversion(traits);
    }
    fields.insert(fields.end(), {"prompt_2", "negative_prompt_2"});
    TakeControls(ControlFitOf(unet_config), /*guesses=*/true, traits);
    TakePictures(PictureLayersOf(unet_config), traits);
  }
  const Weights unet = parts->unet.weights;
  std::unique_ptr<StableDiffusionXL> pipeline(
      new StableDiffusionXL(*std::move(parts)));
  status = unet.Finish();
  if (!status.ok()) return status;
  return pipeline;
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusionXL::Load(
    const ModelIndex& index, const Placement& placement) {
  auto pipeline = LoadBeside(/*base=*/nullptr, index, placement);
  if (!pipeline.ok()) return pipeline.status();
  StableDiffusionXL& base = **pipeline;
  if (base.is_refiner() || !HasFolder(index.folder, kRefinerFolder)) {
    return pipeline;
  }
  const auto refiner_index =
      ReadModelIndex((fs::path(index.folder) / kRefinerFolder).string());
  if (!refiner_index.ok()) return refiner_index.status();
  auto refiner = LoadBeside(&base, *refiner_index, placement);
  if (!refiner.ok()) return refiner.status();
  if (!(*refiner)->is_refiner()) {
    return absl::InvalidArgumentError(absl::StrCat(
        refiner_index->folder, ": has a first text encoder, so is no refiner"));
  }
  base.refiner_ = *std::move(refiner);
  base.traits_.request_fields.insert(
      base.traits_.request_fields.end(),
      {"refiner.switch_at", "refiner.aesthetic_score",
       "refiner.negative_aesthetic_score"});
  return pipeline;
}

PromptRows StableDiffusionXL::PromptsOf(const v1::GenerateRequest& request,
                                        const TextPlan& plan, bool second,
                                        const LearnedWords& learned) const {
  const ClipTokenizer& tokenizer =
      second ? text_2_->tokenizer : text_->tokenizer;
  const WindowRules rules = RulesOf(request, learned, /*pooled=*/true);
  const bool own = second && !is_refiner();  // a refiner reads the prompt
  PromptRows rows;
  for (const RequestTexts& texts : plan.texts) {
    // As in the reference pipeline, clip_skip does not touch the negative
    // prompt.
    if (RowsOf(traits_, request.guidance_scale()) == 2) {
      rows.push_back({ReadWindows(
          tokenizer,
          own ? OrElse(texts.negative_prompt_2, texts.negative_prompt)
              : texts.negative_prompt,
          rules)});
    }
    rows.push_back(
        {ReadWindows(tokenizer,
                     own ? OrElse(texts.prompt_2, texts.prompt) : texts.prompt,
                     rules),
         request.clip_skip()});
  }
  return rows;
}

at::Tensor StableDiffusionXL::NumbersOf(const v1::GenerateRequest& request,
                                        int64_t rows) const {
  const at::Tensor numbers =
      is_refiner() ? RefinerNumbers(request, rows) : SizeNumbers(request, rows);
  if (!embeds_guidance_) return numbers;
  return at::cat(
      {numbers, at::full({rows, 1}, request.guidance_scale() - 1, at::kFloat)},
      1);
}

Conditioning StableDiffusionXL::TextsOf(
    const RequestTexts& texts, absl::Span<const TextEmbedding> states,
    absl::Span<const TextEmbedding> states_2) const {
  const bool zeroes = zeroes_empty_negative_ && texts.negative_prompt.empty() &&
                      texts.negative_prompt_2.empty();
  std::vector<at::Tensor> tokens;
  std::vector<at::Tensor> pooled;
  for (size_t row = 0; row < states_2.size(); ++row) {
    TextEmbedding second = states_2[row];
    std::vector<at::Tensor> beside;
    if (!is_refiner()) beside.push_back(states[row][0]);
    beside.push_back(second[0]);
    at::Tensor both = at::cat(beside, -1);  // [1, L, D]
    if (zeroes && row + 1 < states_2.size()) {
      both = at::zeros_like(both);
      second = ZerosLike(second);
    }
    tokens.push_back(both);
    pooled.push_back(second[1]);
  }
  return {.tokens = at::cat(tokens), .pooled = at::cat(pooled)};
}

absl::StatusOr<Encoded> StableDiffusionXL::PrepareRows(
    const EncodeTask& task, const TextPlan& plan,
    absl::Span<const TextEmbedding> states,
    absl::Span<const TextEmbedding> states_2) const {
  const v1::GenerateRequest& request = task.request;
  const size_t each = states_2.size() / plan.texts.size();
  const auto rows = static_cast<int64_t>(each);
  const at::Tensor numbers = NumbersOf(request, rows);
  std::vector<Conditioning> texts;
  // Control networks embed no guidance.
  std::vector<Conditioning> for_controls;
  for (size_t i = 0; i < plan.texts.size(); ++i) {
    Conditioning text = TextsOf(
        plan.texts[i], is_refiner() ? states : states.subspan(i * each, each),
        states_2.subspan(i * each, each));
    text.numbers = numbers;
    texts.push_back(text);
    text.numbers = SizeNumbers(request, rows);
    for_controls.push_back(std::move(text));
  }
  auto prepared =
      PrepareAdapted(*denoiser_, std::move(texts), plan.from, task.adapters,
                     static_cast<int>(request.steps()));
  if (!prepared.ok()) return prepared.status();
  auto controls = PrepareControls(task.controls, for_controls, plan.from);
  if (!controls.ok()) return controls.status();
  Encoded encoded;
  encoded.prepared = {
      WithPictures(*std::move(prepared), task.image_prompts, picture_order_)};
  encoded.controls = *std::move(controls);
  return encoded;
}

std::vector<absl::StatusOr<Encoded>> StableDiffusionXL::PrepareAll(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  const EmbeddingLibrary* const library = tasks[0].embeddings;
  // A refiner reads what is made for a base's second encoder.
  const std::vector<int64_t> widths = {
      is_refiner() ? LearnedEmbedding::kAnyWidth : text_->config.hidden_size,
      text_2_->config.hidden_size};
  const LearnedWords learned =
      is_refiner() ? LearnedWords() : text_->WordsOf(library, widths, 0);
  const LearnedWords learned_2 = text_2_->WordsOf(library, widths, 1);
  std::vector<TextPlan> plans;
  std::vector<PromptRows> prompts(tasks.size()), prompts_2;
  for (size_t i = 0; i < tasks.size(); ++i) {
    const v1::GenerateRequest& request = tasks[i].request;
    plans.push_back(PlanTextsOf(tasks[i]));
    prompts_2.push_back(
        PromptsOf(request, plans[i], /*second=*/true, learned_2));
    std::vector<TokenizedRows> all = {
        {text_2_->tokenizer, RulesOf(request, learned_2, /*pooled=*/true),
         prompts_2[i]}};
    if (!is_refiner()) {
      prompts[i] = PromptsOf(request, plans[i], /*second=*/false, learned);
      all.push_back({text_->tokenizer,
                     RulesOf(request, learned, /*pooled=*/true), prompts[i]});
    }
    EqualiseWindows(all);
  }
  std::vector<std::vector<TextEmbedding>> states(tasks.size());
  if (!is_refiner()) {
    states = EncodeRows(
        prompts, tasks, together, texts,
        EncodeBy(*text_, "text_encoder", learned, placement_.device));
  }
  const auto states_2 = EncodeRows(
      prompts_2, tasks, together, texts,
      EncodeBy(*text_2_, "text_encoder_2", learned_2, placement_.device));
  std::vector<absl::StatusOr<Encoded>> prepared;
  for (size_t i = 0; i < tasks.size(); ++i) {
    prepared.push_back(PrepareRows(tasks[i], plans[i], states[i], states_2[i]));
  }
  return prepared;
}

std::vector<absl::StatusOr<Encoded>> StableDiffusionXL::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  auto prepared = PrepareAll(tasks, together, texts);
  std::vector<EncodeTask> refined;
  for (const EncodeTask& task : tasks) {
    if (refiner_ != nullptr && task.request.has_refiner()) {
      refined.push_back(
          {.request = task.request, .embeddings = task.embeddings});
    }
  }
  std::vector<absl::StatusOr<Encoded>> for_refiner;
  if (!refined.empty()) {
    for_refiner = refiner_->PrepareAll(refined, together, texts);
  }
  std::vector<absl::StatusOr<Encoded>> results;
  size_t next = 0;
  for (size_t i = 0; i < tasks.size(); ++i) {
    absl::StatusOr<Encoded> encoded = std::move(prepared[i]);
    if (refiner_ != nullptr && tasks[i].request.has_refiner()) {
      const absl::StatusOr<Encoded>& refined_one = for_refiner[next++];
      if (!refined_one.ok()) encoded = refined_one.status();
      if (encoded.ok()) encoded->prepared.push_back(refined_one->prepared[0]);
    }
    if (encoded.ok()) EncodePicture(tasks[i], *codec_, sight_, *encoded);
    results.push_back(std::move(encoded));
  }
  return results;
}

ClipTextStates StableDiffusionXL::EncodeTexts(
    const std::vector<std::string>& texts,
    const std::vector<std::string>& texts_2, int64_t clip_skip) const {
  c10::InferenceMode inference;
  const c10::Device& device = placement_.device;
  auto states = StatesOf(*text_2_, text_2_->IdsOf(texts_2, device), clip_skip);
  if (!is_refiner()) {
    const auto first = StatesOf(*text_, text_->IdsOf(texts, device), clip_skip);
    states[0] = at::cat({first[0], states[0]}, -1);
  }
  return {.hidden = states[0], .pooled = states[1]};
}

PreparedRef StableDiffusionXL::PrepareEmpty() const {
  c10::InferenceMode inference;
  const ClipTextStates states = EncodeTexts({""}, {""}, /*clip_skip=*/0);
  v1::GenerateRequest request;
  request.set_width(static_cast<uint32_t>(traits_.default_width));
  request.set_height(static_cast<uint32_t>(traits_.default_height));
  Conditioning conditioning = {.tokens = states.hidden,
                               .pooled = states.pooled,
                               .numbers = NumbersOf(request, /*rows=*/1)};
  if (sight_ != MaskSight::kNothing) {
    conditioning.image = at::zeros({1, SightChannels(sight_, *codec_), 1, 1});
  }
  return *denoiser_->Prepare(conditioning);
}

int64_t StableDiffusionXL::weight_bytes() const {
  int64_t bytes = unet_bytes_ + codec_->weight_bytes() + text_2_->weight_bytes;
  if (text_ != nullptr) bytes += text_->weight_bytes;
  if (refiner_ != nullptr) {
    bytes += refiner_->unet_bytes_;
    if (refiner_->text_2_ != text_2_) bytes += refiner_->text_2_->weight_bytes;
  }
  return bytes;
}

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
  const auto plan = PlanOf(sampler, FromProto(request.schedule()), scheduler,
                           WalkOptions(request), step);
  if (!plan.ok()) return plan.status();
  return StageOf(request, PreparedFrom(prepared, step),
                 std::make_unique<WalkPart>(KeepKnown(*std::move(walk), known),
                                            *plan, StepRange{step, steps}),
                 step);
}

absl::StatusOr<std::vector<Stage>> StableDiffusionXL::PlanWith(
    SamplerId sampler, const nlohmann::json& scheduler,
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  const int steps = static_cast<int>(request.steps());
  const auto whole = PlanOf(sampler, FromProto(request.schedule()), scheduler,
                            WalkOptions(request), /*first_step=*/0);
  const int switch_step =
      whole.ok() && request.refiner().has_switch_at()
          ? StepAtShare(*whole, request.refiner().switch_at(),
                        traits_.max_steps)
          : steps;
  std::vector<Stage> stages;
  if (is_refiner() && switch_step < steps) {
    auto stage =
        StageFrom(switch_step, sampler, scheduler, image, encoded.prepared[0],
                  /*known=*/{});
    if (!stage.ok()) return stage.status();
    stages.push_back(*std::move(stage));
    return stages;
  }
  const auto begun = PictureStartOf(image, encoded, *codec_, sight_);
  if (!begun.ok()) return begun.status();
  const auto& [start, known, beside] = *begun;
  auto created =
      CreateWalk(sampler, scheduler, request, WalkOptions(request), start);
  if (!created.ok()) return created.status();
  auto walk = KeepKnown(*std::move(created), known);
  const PreparedRef prepared =
      SeeBeside(encoded.prepared[0], beside, placement_);
  if (switch_step == steps) {
    stages.push_back(StageOf(request, prepared, std::move(walk),
                             /*first_step=*/0, ControlsOf(encoded)));
    return stages;
  }
  // Nothing is left for the base where a picture enters behind it.
  if (refiner_ != nullptr && switch_step <= start.first_step) {
    stages.push_back(
        refiner_->StageOf(request, encoded.prepared[1], std::move(walk)));
    return stages;
  }
  const auto plan = PlanOf(sampler, FromProto(request.schedule()), scheduler,
                           WalkOptions(request), start.first_step);
  if (!plan.ok()) return plan.status();
  stages.push_back(
      StageOf(request, prepared,
              std::make_unique<WalkPart>(std::move(walk), *plan,
                                         StepRange{0, switch_step}),
              /*first_step=*/0, ControlsOf(encoded)));
  if (refiner_ == nullptr) return stages;
  auto refined = refiner_->StageFrom(switch_step, sampler, refiner_->scheduler_,
                                     image, encoded.prepared[1], known);
  if (!refined.ok()) return refined.status();
  stages.push_back(*std::move(refined));
  return stages;
}

absl::StatusOr<int64_t> StableDiffusionXL::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  std::vector<const char*> parts = {"unet"};
  for (const char* text : {"text_encoder", "text_encoder_2"}) {
    if (index.Has(text)) parts.push_back(text);
  }
  auto bytes = ComponentBytes(index, parts, placement);
  if (!bytes.ok()) return bytes.status();
  const auto codec = CodecBytes(index, placement);
  if (!codec.ok()) return codec.status();
  if (!HasFolder(index.folder, kRefinerFolder)) return *bytes + *codec;
  const auto refiner =
      ReadModelIndex((fs::path(index.folder) / kRefinerFolder).string());
  if (!refiner.ok()) return refiner.status();
  parts = {"unet"};
  if (refiner->Has("text_encoder_2")) parts.push_back("text_encoder_2");
  const auto more = ComponentBytes(*refiner, parts, placement);
  if (!more.ok()) return more.status();
  return *bytes + *codec + *more;
}

}  // namespace genzo
