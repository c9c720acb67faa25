#include "worker/text/prompt_windows.h"

#include <algorithm>

#include "absl/types/span.h"
#include "base/prompt_syntax.h"

namespace genzo {
namespace {

constexpr size_t kAround = 2;  // a start and an end token

// `ids` with what belongs around and behind them.
TokenWindow WindowOf(const ClipTokenizer& tokenizer, bool end_behind_padding,
                     absl::Span<const int64_t> ids,
                     absl::Span<const float> weights) {
  const auto length = static_cast<size_t>(tokenizer.model_max_length());
  TokenWindow window;
  window.ids = {tokenizer.bos_id()};
  window.ids.insert(window.ids.end(), ids.begin(), ids.end());
  if (!end_behind_padding) window.ids.push_back(tokenizer.eos_id());
  window.ids.resize(length, tokenizer.pad_id());
  if (end_behind_padding) window.ids.back() = tokenizer.eos_id();
  window.weights = {1};
  window.weights.insert(window.weights.end(), weights.begin(), weights.end());
  window.weights.resize(length, 1);
  return window;
}

}  // namespace

std::vector<TokenWindow> ReadWindows(const ClipTokenizer& tokenizer,
                                     const std::string& text,
                                     const WindowRules& rules) {
  const size_t content =
      static_cast<size_t>(tokenizer.model_max_length()) - kAround;
  std::vector<WeightedText> pieces = {{text}};
  if (rules.weighted) pieces = ParsePromptWeights(text);
  std::vector<int64_t> ids;
  std::vector<float> weights;
  std::vector<TokenWindow> windows;
  const bool end_last = rules.weighted && rules.end_behind_padding;
  const auto close = [&](size_t count) {
    windows.push_back(WindowOf(tokenizer, end_last,
                               absl::MakeSpan(ids).first(count),
                               absl::MakeSpan(weights).first(count)));
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
    weights.erase(weights.begin(),
                  weights.begin() + static_cast<std::ptrdiff_t>(count));
  };
  for (const WeightedText& piece : pieces) {
    if (piece.begins_chunk) {
      while (ids.size() > content) close(content);
      close(ids.size());
    }
    const auto words = tokenizer.EncodeWords(piece.text, rules.learned);
    ids.insert(ids.end(), words.begin(), words.end());
    weights.resize(ids.size(), static_cast<float>(piece.weight));
  }
  while (ids.size() > content) close(content);
  if (!ids.empty() || windows.empty()) close(ids.size());
  const auto most =
      static_cast<size_t>(rules.weighted ? rules.most_windows : 1);
  windows.resize(std::min(windows.size(), most));
  return windows;
}

void PadWindows(const ClipTokenizer& tokenizer, const WindowRules& rules,
                size_t count, std::vector<TokenWindow>& windows) {
  while (windows.size() < count) {
    windows.push_back(WindowOf(tokenizer, rules.end_behind_padding, {}, {}));
  }
}

}  // namespace genzo
