#ifndef GENZO_BASE_PROMPT_SYNTAX_H_
#define GENZO_BASE_PROMPT_SYNTAX_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Prompts in the syntax that web UIs have: what front end and worker both know
// of it.

namespace genzo {

// A piece of a prompt whose words count alike.
struct WeightedText {
  std::string text;
  double weight = 1;
  bool begins_chunk = false;  // stands behind a BREAK

  bool operator==(const WeightedText&) const = default;
};

// Windows of tokens that are read of a prompt at most, and the weights that its
// words may have.
inline constexpr int kMaxPromptChunks = 16;
inline constexpr double kMaxPromptWeight = 10;

// `(word)` counts 1.1 times, `[word]` 1 / 1.1 times, `(word:1.3)` 1.3 times;
// brackets multiply, and one that is not closed reaches to the end. A backslash
// takes a bracket, or a backslash, as it stands. BREAK begins another chunk of
// tokens. Neighbours of one weight are one piece; at least one piece, in order.
// Reference: parse_prompt_attention of diffusers' lpw_stable_diffusion, whose
// grammar this is; BREAK is A1111's.
std::vector<WeightedText> ParsePromptWeights(absl::string_view prompt);

// What is wrong with the prompt, as "has ...": a weight over kMaxPromptWeight.
std::optional<std::string> FaultInPromptSyntax(absl::string_view prompt);

}  // namespace genzo

#endif  // GENZO_BASE_PROMPT_SYNTAX_H_
