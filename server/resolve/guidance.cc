#include "server/resolve/guidance.h"

#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/guidance_rules.h"
#include "base/prompt_editing.h"
#include "base/prompt_syntax.h"
#include "base/request_rules.h"

namespace genzo {
namespace {

constexpr int kMostLayers = 100;

// The step at which the walk begins.
uint32_t FirstStep(const v1::GenerateRequest& request, const v1::Model& model) {
  if (!request.has_image_to_image()) return 0;
  return request.steps() -
         static_cast<uint32_t>(StepsWalked(request.steps(),
                                           request.image_to_image().strength(),
                                           StepRoundingOf(model)));
}

void CheckShares(const v1::GuidanceOptions& options, const v1::Model& model,
                 Violations& violations) {
  if (options.has_start()) violations.CheckTaken("guidance.start", model);
  if (options.has_end()) violations.CheckTaken("guidance.end", model);
  const StepShares shares = SharesOf(options);
  violations.CheckRange("guidance.start", shares.start, 0.0, 1.0);
  // Of a start that is no share, that alone is told.
  const double first =
      shares.start >= 0 && shares.start <= 1 ? shares.start : 0;
  violations.CheckRange("guidance.end", shares.end, first, 1.0);
}

void CheckPerturbedLayers(const v1::GuidanceOptions& options,
                          const v1::Model& model, Violations& violations) {
  const auto& asked = options.perturbed_layers();
  if (asked.empty()) return;
  violations.CheckTaken("guidance.perturbed_layers", model);
  violations.CheckCount("guidance.perturbed_layers", asked.size(), kMostLayers);
  if (asked.size() > kMostLayers) return;
  if (options.perturbed_attention_scale() == 0) {
    violations.Add("guidance.perturbed_layers",
                   "guidance.perturbed_layers needs a "
                   "guidance.perturbed_attention_scale");
  }
  const auto& known = model.attention_layers();
  for (int i = 0; i < asked.size() && !known.empty(); ++i) {
    const bool fits = absl::c_any_of(known, [&](const std::string& layer) {
      return IsInBlock(layer, asked[i]);
    });
    if (fits) continue;
    violations.Add(
        absl::StrCat("guidance.perturbed_layers[", i, "]"),
        absl::StrCat("guidance.perturbed_layers[", i, "] \"", asked[i],
                     "\" has no attention in model \"", model.id(),
                     "\": ", absl::StrJoin(known, ", ")));
  }
}

void CheckScales(const v1::GuidanceOptions& options, const v1::Model& model,
                 Violations& violations) {
  const std::pair<const char*, double> scales[] = {
      {"guidance.perturbed_attention_scale",
       options.perturbed_attention_scale()},
      {"guidance.skip_layer_scale", options.skip_layer_scale()}};
  for (const auto& [field, scale] : scales) {
    if (scale == 0) continue;
    violations.CheckTaken(field, model);
    violations.CheckRange(field, scale, 0.0, kMaxGuidanceScale);
  }
  const auto& skipped = options.skip_layers();
  if (skipped.empty()) return;
  violations.CheckTaken("guidance.skip_layers", model);
  violations.CheckCount("guidance.skip_layers", skipped.size(), kMostLayers);
  if (skipped.size() > kMostLayers) return;
  for (const uint32_t layer : skipped) {
    if (layer < model.transformer_layers()) continue;
    violations.Add(
        "guidance.skip_layers",
        absl::StrCat("guidance.skip_layers ", layer, " is not below ",
                     model.transformer_layers(), ", the model's layers"));
  }
  if (options.skip_layer_scale() > 0) return;
  violations.Add("guidance.skip_layers",
                 "guidance.skip_layers needs a guidance.skip_layer_scale");
}

// A text of the request, and the steps that it is read for.
struct ReadText {
  std::string field;
  const std::string& text;
  EditedSteps steps;
};

// Each text that the steps make of it is read by itself. Whether it is sound.
bool CheckText(const ReadText& read, Violations& violations) {
  std::set<std::string> texts;
  for (TextFrom& from : EditedTexts(read.text, read.steps)) {
    texts.insert(std::move(from.text));
  }
  if (texts.size() > kMaxEditedTexts) {
    violations.Add(read.field,
                   absl::StrCat(read.field, " changes to ", texts.size(),
                                " texts over ", read.steps.steps,
                                " steps, the limit is ", kMaxEditedTexts));
    return false;
  }
  for (const std::string& text : texts) {
    const auto fault = FaultInPromptSyntax(text);
    if (!fault.has_value()) continue;
    violations.Add(read.field, absl::StrCat(read.field, " ", *fault));
    return false;
  }
  return true;
}

// All texts together, each combination of which is prepared.
void CheckTexts(const v1::GenerateRequest& request, const EditedSteps& steps,
                Violations& violations) {
  const std::pair<const char*, const std::string&> prompts[] = {
      {"prompt", request.prompt()},
      {"negative_prompt", request.negative_prompt()},
      {"prompt_2", request.prompt_2()},
      {"negative_prompt_2", request.negative_prompt_2()}};
  bool sound = true;
  for (const auto& [field, text] : prompts) {
    sound = CheckText({field, text, steps}, violations) && sound;
  }
  if (!sound) return;
  const size_t texts = PlanTexts(request, steps).texts.size();
  if (texts <= kMaxEditedTexts) return;
  violations.Add("prompt",
                 absl::StrCat("prompt and the request's other texts make ",
                              texts, " combinations over ", steps.steps,
                              " steps, the limit is ", kMaxEditedTexts));
}

}  // namespace

void CheckPromptSyntax(const v1::GenerateRequest& request,
                       const v1::Model& model, Violations& violations) {
  violations.CheckEnum("prompt_syntax", request.prompt_syntax(),
                       *v1::PromptSyntax_descriptor());
  if (request.prompt_syntax() != v1::PROMPT_SYNTAX_WEIGHTED) return;
  violations.CheckTaken("prompt_syntax", model);
  const v1::ImageToImage::Inversion& inversion =
      request.image_to_image().inversion();
  const uint32_t again =
      request.hires().has_steps() ? request.hires().steps() : request.steps();
  for (const uint32_t steps : {request.steps(), inversion.steps(), again}) {
    if (steps > model.limits().max_steps()) return;  // a fault already
  }
  const auto steps = static_cast<int>(request.steps());
  CheckTexts(request, {.steps = steps}, violations);
  CheckText({"image_to_image.inversion.prompt",
             inversion.prompt(),
             {.steps = static_cast<int>(inversion.steps())}},
            violations);
  if (!request.has_hires()) return;
  CheckTexts(request, {.steps = static_cast<int>(again), .before = steps},
             violations);
}

void CheckGuidance(const v1::GenerateRequest& request, const v1::Model& model,
                   Violations& violations) {
  if (!request.has_guidance()) return;
  const v1::GuidanceOptions& options = request.guidance();
  CheckShares(options, model, violations);
  CheckScales(options, model, violations);
  CheckPerturbedLayers(options, model, violations);
  if (options.text_gate_step() == 0) return;
  violations.CheckTaken("guidance.text_gate_step", model);
  violations.CheckRange("guidance.text_gate_step", options.text_gate_step(),
                        FirstStep(request, model) + 1, request.steps());
}

}  // namespace genzo
