#include "base/prompt_editing.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

// Brackets in brackets; what is deeper is read as it stands.
constexpr int kMaxDepth = 100;

struct Part;
using Parts = std::vector<Part>;

// Text, or a choice of which every step takes one.
struct Part {
  std::string text;
  std::vector<Parts> choices = {};
  std::string when = {};  // of a change from choices[0]; empty: they alternate
};

void Append(Parts more, Parts& parts) {
  for (Part& part : more) {
    if (part.choices.empty() && !parts.empty() &&
        parts.back().choices.empty()) {
      parts.back().text += part.text;
    } else {
      parts.push_back(std::move(part));
    }
  }
}

void Append(absl::string_view text, Parts& parts) {
  Append(Parts{{.text = std::string(text)}}, parts);
}

// The number at the head of `text`, with a sign and an exponent if it has them;
// empty if there is none.
absl::string_view NumberIn(absl::string_view text) {
  size_t end = 0;
  const auto digits = [&] {
    const size_t begin = end;
    while (end < text.size() && absl::ascii_isdigit(text[end])) ++end;
    return end > begin;
  };
  const auto one_of = [&](absl::string_view chars) {
    if (end == text.size() || chars.find(text[end]) == chars.npos) return false;
    ++end;
    return true;
  };
  one_of("+-");
  bool any = digits();
  if (one_of(".")) any = digits() || any;
  if (!any) return "";
  const size_t mantissa = end;
  if (one_of("eE")) {
    one_of("+-");
    if (!digits()) end = mantissa;
  }
  return text.substr(0, end);
}

// One pass: no bracket is read twice but where it turns out to be none.
class EditingParser {
 public:
  explicit EditingParser(absl::string_view prompt) : rest_(prompt) {}

  // Nothing for a prompt that has no editing.
  std::optional<Parts> Parse() {
    Parts parts;
    while (true) {
      Append(ReadPrompt(/*depth=*/0), parts);
      if (rest_.empty()) return parts;
      if (absl::string_view("[]():").find(rest_[0]) == rest_.npos) {
        return std::nullopt;
      }
      Append(rest_.substr(0, 1), parts);
      rest_.remove_prefix(1);
    }
  }

 private:
  bool Skip(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Up to what cannot be a part of it.
  Parts ReadPrompt(int depth) {
    Parts parts;
    while (!rest_.empty()) {
      const char c = rest_[0];
      if (c == '(' || c == '[') {
        const absl::string_view before = rest_;
        auto inside = ReadBrackets(depth + 1);
        if (!inside.has_value()) {
          rest_ = before;
          break;
        }
        Append(*std::move(inside), parts);
        continue;
      }
      size_t length = std::min(rest_.find_first_of("\\[]():|"), rest_.size());
      if (length == 0) {
        if (c != '\\' || rest_.size() < 2 || rest_[1] == '\n') break;
        length = 2;
      }
      Append(rest_.substr(0, length), parts);
      rest_.remove_prefix(length);
    }
    return parts;
  }

  std::optional<Parts> ReadBrackets(int depth) {
    if (depth > kMaxDepth) return std::nullopt;
    const bool round = Skip('(');
    if (!round) rest_.remove_prefix(1);
    Parts first = ReadPrompt(depth);
    if (round) return ReadRound(depth, std::move(first));
    if (Skip(']')) return Enclosed("[", std::move(first), "]");
    if (!rest_.empty() && rest_[0] == '|') {
      return ReadAlternatives(depth, std::move(first));
    }
    if (!Skip(':')) return std::nullopt;
    std::string when = ReadWhen();
    if (!when.empty()) return Change({}, std::move(first), std::move(when));
    Parts second = ReadPrompt(depth);
    if (!Skip(':')) return std::nullopt;
    when = ReadWhen();
    if (when.empty()) return std::nullopt;
    return Change(std::move(first), std::move(second), std::move(when));
  }

  std::optional<Parts> ReadRound(int depth, Parts parts) {
    if (Skip(':')) {
      Append(":", parts);
      Append(ReadPrompt(depth), parts);
    }
    if (!Skip(')')) return std::nullopt;
    return Enclosed("(", std::move(parts), ")");
  }

  std::optional<Parts> ReadAlternatives(int depth, Parts first) {
    std::vector<Parts> choices = {std::move(first)};
    while (Skip('|')) choices.push_back(ReadPrompt(depth));
    if (!Skip(']')) return std::nullopt;
    return Parts{{.text = "", .choices = std::move(choices)}};
  }

  // A number up to the closing bracket; empty, and nothing read, if there is
  // something else.
  std::string ReadWhen() {
    const absl::string_view begin = absl::StripLeadingAsciiWhitespace(rest_);
    const absl::string_view number = NumberIn(begin);
    const absl::string_view end =
        absl::StripLeadingAsciiWhitespace(begin.substr(number.size()));
    if (number.empty() || end.empty() || end[0] != ']') return "";
    rest_ = end.substr(1);
    return std::string(number);
  }

  static Parts Enclosed(absl::string_view open, Parts inside,
                        absl::string_view close) {
    Parts parts;
    Append(open, parts);
    Append(std::move(inside), parts);
    Append(close, parts);
    return parts;
  }

  static Parts Change(Parts from, Parts to, std::string when) {
    Part part;
    part.choices = {std::move(from), std::move(to)};
    part.when = std::move(when);
    return {std::move(part)};
  }

  absl::string_view rest_;
};

// The last of the steps, counted from 1, before a change.
int LastStepBefore(absl::string_view when, const EditedSteps& steps) {
  const bool is_share = when.find('.') != when.npos;
  if (when[0] == '+') when.remove_prefix(1);
  double number = 0;
  (void)absl::SimpleAtod(when, &number);  // infinite if it is too large
  number = is_share ? (number - (steps.before > 0 ? 1 : 0)) * steps.steps
                    : number - steps.before;
  return static_cast<int>(
      std::clamp(number, -1.0, static_cast<double>(steps.steps)));
}

// What step `step`, counted from 1, reads.
void WriteAt(int step, const EditedSteps& steps, const Parts& parts,
             std::string& text) {
  for (const Part& part : parts) {
    text += part.text;
    if (part.choices.empty()) continue;
    const size_t choice =
        part.when.empty() ? static_cast<size_t>(step - 1) % part.choices.size()
                          : (step <= LastStepBefore(part.when, steps) ? 0 : 1);
    WriteAt(step, steps, part.choices[choice], text);
  }
}

// What the step of a walk reads.
const std::string& At(const std::vector<TextFrom>& texts, int step) {
  const auto next = std::find_if(
      texts.begin() + 1, texts.end(),
      [&](const TextFrom& text) { return text.first_step > step; });
  return (next - 1)->text;
}

}  // namespace

std::vector<TextFrom> EditedTexts(absl::string_view prompt,
                                  const EditedSteps& steps) {
  const auto parts = EditingParser(prompt).Parse();
  if (!parts.has_value()) return {{0, std::string(prompt)}};
  const bool changes =
      std::any_of(parts->begin(), parts->end(),
                  [](const Part& part) { return !part.choices.empty(); });
  std::vector<TextFrom> texts;
  for (int step = 0; step < (changes ? steps.steps : 1) || texts.empty();
       ++step) {
    std::string text;
    WriteAt(step + 1, steps, *parts, text);
    if (!texts.empty() && texts.back().text == text) continue;
    texts.push_back({step, std::move(text)});
  }
  return texts;
}

TextPlan PlanTexts(const v1::GenerateRequest& request, const EditedSteps& steps,
                   bool reversed) {
  if (request.prompt_syntax() != v1::PROMPT_SYNTAX_WEIGHTED) {
    return {.texts = {{request.prompt(), request.negative_prompt(),
                       request.prompt_2(), request.negative_prompt_2()}},
            .from = std::vector<TextPlan::From>(1)};
  }
  const auto prompt = EditedTexts(request.prompt(), steps);
  const auto negative = EditedTexts(request.negative_prompt(), steps);
  const auto prompt_2 = EditedTexts(request.prompt_2(), steps);
  const auto negative_2 = EditedTexts(request.negative_prompt_2(), steps);
  TextPlan plan;
  for (int step = 0; step < steps.steps; ++step) {
    const int read = reversed ? steps.steps - 1 - step : step;
    const RequestTexts texts = {At(prompt, read), At(negative, read),
                                At(prompt_2, read), At(negative_2, read)};
    auto known = std::find(plan.texts.begin(), plan.texts.end(), texts);
    if (known == plan.texts.end()) known = plan.texts.insert(known, texts);
    const auto text = static_cast<size_t>(known - plan.texts.begin());
    if (plan.from.empty() || plan.from.back().text != text) {
      plan.from.push_back({step, text});
    }
  }
  return plan;
}

}  // namespace genzo
