#include "gateway/a1111_infotext.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr char kNegative[] = "Negative prompt:";
constexpr size_t kFewestValues = 3;  // of a line of them

using Values = std::vector<std::pair<absl::string_view, absl::string_view>>;

bool IsOfAWord(char c) {
  return absl::ascii_isalnum(c) || c == '_' || static_cast<signed char>(c) < 0;
}

bool IsOfAName(char c) {
  return IsOfAWord(c) || c == ' ' || c == '-' || c == '/';
}

// Where the text in quotes at the head of `text` ends; 0 if there is none, or
// if more follows it than a comma.
size_t QuotedSize(absl::string_view text) {
  if (!absl::StartsWith(text, "\"")) return 0;
  size_t at = 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  if (at >= text.size() || at == 1) return 0;
  ++at;
  return at == text.size() || text[at] == ',' ? at : 0;
}

// "Steps: 20, Sampler: Euler a". What is no name with a value is passed over.
Values ValuesIn(absl::string_view line) {
  Values values;
  for (size_t at = 0; at < line.size();) {
    if (!IsOfAWord(line[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < line.size() && IsOfAName(line[at])) ++at;
    const absl::string_view name = line.substr(begin, at - begin);
    if (name.size() < 2 || at == line.size() || line[at] != ':') continue;
    const absl::string_view rest =
        absl::StripLeadingAsciiWhitespace(line.substr(at + 1));
    const size_t quoted = QuotedSize(rest);
    const absl::string_view value =
        rest.substr(0, quoted > 0 ? quoted : rest.find(','));
    values.emplace_back(name, value);
    at = line.size() - rest.size() + value.size() + 1;
  }
  return values;
}

std::string Unquoted(absl::string_view value) {
  if (absl::StartsWith(value, "\"") && absl::EndsWith(value, "\"")) {
    const json read = json::parse(value, /*cb=*/nullptr,
                                  /*allow_exceptions=*/false);
    if (read.is_string()) return read.get<std::string>();
  }
  return std::string(value);
}

bool IsNumber(absl::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("0123456789") == absl::string_view::npos;
}

void Add(absl::string_view name, absl::string_view given, json& parameters) {
  if (given.empty()) return;
  const std::string value = Unquoted(given);
  const std::pair<absl::string_view, absl::string_view> sides =
      absl::StrSplit(value, absl::MaxSplits('x', 1));
  if (IsNumber(sides.first) && IsNumber(sides.second)) {
    parameters[absl::StrCat(name, "-1")] = std::string(sides.first);
    parameters[absl::StrCat(name, "-2")] = std::string(sides.second);
  } else {
    parameters[std::string(name)] = value;
  }
}

// What is meant where a text does not say it.
json Defaults() {
  return {{"Clip skip", "1"},
          {"Hires resize-1", 0},
          {"Hires resize-2", 0},
          {"Hires sampler", "Use same sampler"},
          {"Hires checkpoint", "Use same checkpoint"},
          {"Hires prompt", ""},
          {"Hires negative prompt", ""},
          {"Mask mode", "Inpaint masked"},
          {"Masked content", "original"},
          {"Inpaint area", "Whole picture"},
          {"Masked area padding", 32},
          {"RNG", "GPU"},
          {"Schedule type", "Automatic"},
          {"Schedule max sigma", 0},
          {"Schedule min sigma", 0},
          {"Schedule rho", 0},
          {"VAE Encoder", "Full"},
          {"VAE Decoder", "Full"},
          {"FP8 weight", "Disable"}};
}

}  // namespace

json ReadInfotext(absl::string_view text) {
  std::vector<absl::string_view> lines =
      absl::StrSplit(absl::StripAsciiWhitespace(text), '\n');
  Values values = ValuesIn(lines.back());
  if (values.size() < kFewestValues) {
    values.clear();
  } else {
    lines.pop_back();
  }
  std::string prompts[2];
  bool is_negative = false;
  for (absl::string_view line : lines) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, kNegative)) {
      is_negative = true;
      line = absl::StripLeadingAsciiWhitespace(line);
    }
    std::string& prompt = prompts[is_negative ? 1 : 0];
    absl::StrAppend(&prompt, prompt.empty() ? "" : "\n", line);
  }
  json parameters = Defaults();
  parameters["Prompt"] = prompts[0];
  parameters["Negative prompt"] = prompts[1];
  for (const auto& [name, value] : values) Add(name, value, parameters);
  return parameters;
}

}  // namespace genzo
