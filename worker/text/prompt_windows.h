#ifndef GENZO_WORKER_TEXT_PROMPT_WINDOWS_H_
#define GENZO_WORKER_TEXT_PROMPT_WINDOWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "worker/text/clip_tokenizer.h"

namespace genzo {

class LearnedWords;

// What an encoder reads at once.
struct TokenWindow {
  std::vector<int64_t> ids;    // as many as the tokenizer's longest text
  std::vector<float> weights;  // one an id

  bool operator==(const TokenWindow&) const = default;
};

// How a prompt is made windows of.
struct WindowRules {
  bool weighted = false;  // by the syntax of base/prompt_syntax.h
  const LearnedWords* learned = nullptr;  // may be null
  // Where a weighted text does not fill its window, the end token stands at the
  // window's end, behind the padding (as in diffusers' lpw_stable_diffusion),
  // or behind the text, as in training; where the encoder gives a text one
  // vector, that is made of the end token.
  bool end_behind_padding = true;
  // More windows than this lose their words. What is not weighted has one.
  int most_windows = 1;
};

// At least one window. Without weights it is ClipTokenizer::EncodePadded(), all
// of weight 1; with them, every 75 tokens are a window, and BREAK begins one.
std::vector<TokenWindow> ReadWindows(const ClipTokenizer& tokenizer,
                                     const std::string& text,
                                     const WindowRules& rules);

// Adds windows of no text until there are `count`.
void PadWindows(const ClipTokenizer& tokenizer, const WindowRules& rules,
                size_t count, std::vector<TokenWindow>& windows);

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_PROMPT_WINDOWS_H_
