#include "base/prompt_syntax.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/shortest_digits.h"

namespace genzo {
namespace {

constexpr double kBracketWeight = 1.1;
constexpr absl::string_view kSpecials = "\\()[]:";
constexpr absl::string_view kBreak = "BREAK";

bool IsWord(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// The weight in ":1.3)" at the head of `text`, and its length with colon and
// bracket; 0 if there is none.
size_t ReadWeight(absl::string_view text, double& weight) {
  size_t end = 1;
  if (end < text.size() && (text[end] == '+' || text[end] == '-')) ++end;
  while (end < text.size() &&
         (text[end] == '.' || absl::ascii_isdigit(text[end]))) {
    ++end;
  }
  if (end >= text.size() || text[end] != ')') return 0;
  absl::string_view digits = text.substr(1, end - 1);
  if (!digits.empty() && digits[0] == '+') digits.remove_prefix(1);
  return absl::SimpleAtod(digits, &weight) ? end + 1 : 0;
}

class Parser {
 public:
  std::vector<WeightedText> Parse(absl::string_view rest) {
    while (!rest.empty()) rest.remove_prefix(Take(rest));
    for (const size_t from : round_) Multiply(from, kBracketWeight);
    for (const size_t from : square_) Multiply(from, 1 / kBracketWeight);
    return Merged();
  }

 private:
  // Takes what is at the head of `rest`; returns its length.
  size_t Take(absl::string_view rest) {
    double weight = 1;
    switch (rest[0]) {
      case '\\': {
        const bool escapes = rest.size() > 1 && rest[1] != ':' &&
                             kSpecials.find(rest[1]) != rest.npos;
        Add(escapes ? rest.substr(1, 1) : "");
        return escapes ? 2 : 1;
      }
      case '(':
        round_.push_back(pieces_.size());
        return 1;
      case '[':
        square_.push_back(pieces_.size());
        return 1;
      case ')':
        if (!Close(round_, kBracketWeight)) Add(")");
        return 1;
      case ']':
        if (!Close(square_, 1 / kBracketWeight)) Add("]");
        return 1;
      case ':': {
        const size_t length = ReadWeight(rest, weight);
        if (length > 0 && !Close(round_, weight)) Add(rest.substr(0, length));
        if (length > 0) return length;
        Add(":");
        return 1;
      }
      default: {
        const size_t length =
            std::min(rest.find_first_of(kSpecials), rest.size());
        AddWords(rest.substr(0, length));
        return length;
      }
    }
  }

  void Add(absl::string_view text, bool begins_chunk = false) {
    pieces_.push_back({std::string(text), 1, begins_chunk});
  }

  // Text in which BREAK may stand as a word.
  void AddWords(absl::string_view text) {
    bool begins_chunk = false;
    size_t from = 0;
    for (size_t at = text.find(kBreak); at != text.npos;
         at = text.find(kBreak, at + 1)) {
      const size_t end = at + kBreak.size();
      if ((at > 0 && IsWord(text[at - 1])) ||
          (end < text.size() && IsWord(text[end]))) {
        continue;
      }
      Add(absl::StripAsciiWhitespace(text.substr(from, at - from)),
          begins_chunk);
      begins_chunk = true;
      from = end;
    }
    Add(begins_chunk ? absl::StripLeadingAsciiWhitespace(text.substr(from))
                     : text,
        begins_chunk);
  }

  void Multiply(size_t from, double factor) {
    for (size_t i = from; i < pieces_.size(); ++i) pieces_[i].weight *= factor;
  }

  // The innermost open bracket; false if there is none.
  bool Close(std::vector<size_t>& open, double factor) {
    if (open.empty()) return false;
    Multiply(open.back(), factor);
    open.pop_back();
    return true;
  }

  std::vector<WeightedText> Merged() {
    std::vector<WeightedText> merged;
    for (WeightedText& piece : pieces_) {
      if (!merged.empty() && !piece.begins_chunk &&
          merged.back().weight == piece.weight) {
        merged.back().text += piece.text;
      } else {
        merged.push_back(std::move(piece));
      }
    }
    if (merged.empty()) merged.emplace_back();
    return merged;
  }

  std::vector<WeightedText> pieces_;
  std::vector<size_t> round_;  // where open brackets begin
  std::vector<size_t> square_;
};

}  // namespace

std::vector<WeightedText> ParsePromptWeights(absl::string_view prompt) {
  return Parser().Parse(prompt);
}

std::optional<std::string> FaultInPromptSyntax(absl::string_view prompt) {
  for (const WeightedText& piece : ParsePromptWeights(prompt)) {
    if (std::abs(piece.weight) <= kMaxPromptWeight) continue;
    return absl::StrCat("has a weight of ", ShortestDigits(piece.weight),
                        ", the limit is ", kMaxPromptWeight);
  }
  return std::nullopt;
}

}  // namespace genzo
