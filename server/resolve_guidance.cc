#include "server/resolve_guidance.h"

#include "absl/strings/str_cat.h"
#include "base/guidance_rules.h"
#include "base/prompt_syntax.h"
#include "base/request_rules.h"

namespace genzo {
namespace {

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
  violations.CheckRange("guidance.end", shares.end, shares.start, 1.0);
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
  if (options.skip_layers().empty()) return;
  violations.CheckTaken("guidance.skip_layers", model);
  if (options.skip_layer_scale() > 0) return;
  violations.Add("guidance.skip_layers",
                 "guidance.skip_layers needs a guidance.skip_layer_scale");
}

}  // namespace

void CheckPromptSyntax(const v1::GenerateRequest& request,
                       const v1::Model& model, Violations& violations) {
  violations.CheckEnum("prompt_syntax", request.prompt_syntax(),
                       *v1::PromptSyntax_descriptor());
  if (request.prompt_syntax() != v1::PROMPT_SYNTAX_WEIGHTED) return;
  violations.CheckTaken("prompt_syntax", model);
  const std::pair<const char*, const std::string&> prompts[] = {
      {"prompt", request.prompt()},
      {"negative_prompt", request.negative_prompt()},
      {"prompt_2", request.prompt_2()},
      {"negative_prompt_2", request.negative_prompt_2()}};
  for (const auto& [field, prompt] : prompts) {
    const auto fault = FaultInPromptSyntax(prompt);
    if (fault.has_value()) {
      violations.Add(field, absl::StrCat(field, " ", *fault));
    }
  }
}

void CheckGuidance(const v1::GenerateRequest& request, const v1::Model& model,
                   Violations& violations) {
  if (!request.has_guidance()) return;
  const v1::GuidanceOptions& options = request.guidance();
  CheckShares(options, model, violations);
  CheckScales(options, model, violations);
  if (options.text_gate_step() == 0) return;
  violations.CheckTaken("guidance.text_gate_step", model);
  violations.CheckRange("guidance.text_gate_step", options.text_gate_step(),
                        FirstStep(request, model) + 1, request.steps());
}

}  // namespace genzo
