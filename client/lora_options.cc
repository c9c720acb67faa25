#include "client/lora_options.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"

namespace genzo {

namespace {

constexpr char kForm[] =
    "NAME[:WEIGHT[:TEXT_ENCODER_WEIGHT]][@START-END][,BLOCK=WEIGHT...], with a "
    "backslash before a : , @ = or \\ that is a name's own";

// The parts between those `mark`s that no backslash takes away, at most `most`.
std::vector<absl::string_view> SplitPlain(absl::string_view text, char mark,
                                          size_t most) {
  std::vector<absl::string_view> parts;
  size_t begin = 0;
  for (size_t i = 0; i < text.size() && parts.size() + 1 < most; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == mark) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string Unescaped(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

}  // namespace

std::string EscapedLoraName(absl::string_view name) {
  std::string escaped;
  for (const char c : name) {
    // A dash in front would be an option's, a bracket a list's.
    const bool is_first = escaped.empty() && (c == '-' || c == '[');
    if (is_first || absl::StrContains(":,@=\\", c)) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string ParseLora(const std::string& text, v1::LoraUse& lora) {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  const auto wrong = [&](absl::string_view part) {
    return absl::StrCat("\"", part, "\" of \"", text,
                        "\" is not a number; it is ", kForm);
  };
  if (!IsUtf8(text)) return "it is not UTF-8";
  const auto blocks = SplitPlain(text, ',', kAll);
  const auto halves = SplitPlain(blocks[0], '@', 2);
  const auto parts = SplitPlain(halves[0], ':', kAll);
  lora.set_name(Unescaped(parts[0]));
  if (parts[0].empty() || parts.size() > 3) return wrong(halves[0]);
  double number = 0;
  for (size_t i = 1; i < parts.size(); ++i) {
    if (!absl::SimpleAtod(parts[i], &number)) return wrong(parts[i]);
    i == 1 ? lora.set_weight(number) : lora.set_text_encoder_weight(number);
  }
  for (size_t i = 1; i < blocks.size(); ++i) {
    const auto sides = SplitPlain(blocks[i], '=', 2);
    if (sides.size() < 2 || sides[0].empty() ||
        !absl::SimpleAtod(sides[1], &number)) {
      return wrong(blocks[i]);
    }
    v1::LoraBlockWeight& block = *lora.add_block_weights();
    block.set_block(Unescaped(sides[0]));
    block.set_weight(number);
  }
  if (halves.size() < 2) return "";
  const std::vector<std::string> range = absl::StrSplit(halves[1], '-');
  if (range.size() != 2) return wrong(halves[1]);
  if (!absl::SimpleAtod(range[0], &number)) return wrong(range[0]);
  lora.set_start(number);
  if (!absl::SimpleAtod(range[1], &number)) return wrong(range[1]);
  lora.set_end(number);
  return "";
}

LoraOptions::LoraOptions(CLI::App& command) {
  command
      .add_option("--lora", loras_,
                  absl::StrCat("an adapter of `genzo loras`, any number of "
                               "times: ",
                               kForm))
      ->check(CLI::Validator(
          [](const std::string& text) {
            v1::LoraUse ignored;
            return ParseLora(text, ignored);
          },
          "LORA"))
      ->allow_extra_args(false);
}

void LoraOptions::Set(v1::GenerateRequest& request) const {
  for (const std::string& text : loras_) {
    ParseLora(text, *request.add_loras());  // checked by its validator
  }
}

}  // namespace genzo
