#ifndef GENZO_BASE_PROMPT_EDITING_H_
#define GENZO_BASE_PROMPT_EDITING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "genzo/v1/image_generation.pb.h"

// Prompts whose words change from step to step, as web UIs write them: what
// front end and worker both know of it.

namespace genzo {

// Prompts that change with the steps. All functions are pure; none fails, and
// none bounds the number of texts: the front end does.

// Combinations of texts that a request may have over its steps: each is
// prepared for the network, and stays in memory with the others. More are
// INVALID_FIELD.
inline constexpr size_t kMaxEditedTexts = 12;

// The steps that a prompt is read for.
struct EditedSteps {
  int steps = 1;
  // Of the pass before; 0: there is none. Where a prompt says when, whole
  // numbers go on from them and shares from 1.
  int before = 0;
};

// What is read from a step on, from 0, until the next.
struct TextFrom {
  int first_step = 0;
  std::string text;
  bool operator==(const TextFrom&) const = default;
};

// `[from:to:when]`, `[to:when]` and `[from::when]` change after step `when`, or
// after that share of the steps if it has a decimal point; `[a|b]` goes on with
// every step. They may stand in each other and in brackets that weigh. At least
// one text, the first from step 0 on, none like the one before it.
//
//   "a [red:blue:2] fox" in 4 steps: from 0 "a red fox", from 2 "a blue fox"
//
// Brackets that are none of this stay as they are; a prompt with a `|`, or a
// backslash at its end, that has no place in them has no editing at all.
// Reference: get_learned_conditioning_prompt_schedules of A1111's
// modules/prompt_parser.py.
std::vector<TextFrom> EditedTexts(absl::string_view prompt,
                                  const EditedSteps& steps);

// The texts of a request that its encoders read.
struct RequestTexts {
  std::string prompt = {};
  std::string negative_prompt = {};
  std::string prompt_2 = {};
  std::string negative_prompt_2 = {};
  bool operator==(const RequestTexts&) const = default;
};

// Which of a request's texts are read from a step on, from 0, until the next.
struct TextPlan {
  struct From {
    int first_step = 0;
    size_t text = 0;  // of `texts`
  };
  std::vector<RequestTexts> texts;  // that differ
  std::vector<From> from;           // the first from step 0 on
};

// The plan of `request` for the steps of a pass; of one text where its
// `prompt_syntax` does not ask for this. `reversed`: the walk goes the other
// way, so that its first step reads the last text.
TextPlan PlanTexts(const v1::GenerateRequest& request, const EditedSteps& steps,
                   bool reversed = false);

}  // namespace genzo

#endif  // GENZO_BASE_PROMPT_EDITING_H_
