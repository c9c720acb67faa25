#include "worker/pipeline/stable_diffusion_xl.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/zeros.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/guidance_phases.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/size_numbers.h"

namespace genzo {
namespace {

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

}  // namespace

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

}  // namespace genzo
