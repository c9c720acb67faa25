#include "base/prompt_syntax.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/prompt_editing.h"
#include "gateway/a1111_infotext.h"
#include "gateway/loras.h"

// Prompts as web UIs write them: tags of adapters, weights, editing by step;
// and what they write of a picture.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string prompt(reinterpret_cast<const char*>(data), size);
  genzo::v1::GenerateRequest request;
  (void)genzo::TakeLoraTags(prompt, request);
  if (prompt.size() > size) std::abort();
  (void)genzo::FaultInPromptSyntax(prompt);
  (void)genzo::ReadInfotext(prompt);
  size_t read = 0;
  for (const auto& piece : genzo::ParsePromptWeights(prompt)) {
    read += piece.text.size();
  }
  if (read > prompt.size()) std::abort();
  request.set_prompt(prompt);
  request.set_prompt_syntax(genzo::v1::PROMPT_SYNTAX_WEIGHTED);
  const genzo::TextPlan plan = genzo::PlanTexts(request, {.steps = 20});
  if (plan.from.empty() || plan.from[0].first_step != 0) std::abort();
  for (const auto& from : plan.from) {
    if (from.text >= plan.texts.size()) std::abort();
  }
  return 0;
}
