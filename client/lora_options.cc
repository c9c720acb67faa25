#include "client/lora_options.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"

namespace genzo {

std::string ParseLora(const std::string& text, v1::LoraUse& lora) {
  const auto wrong = [&](absl::string_view part) {
    return absl::StrCat("\"", part, "\" of \"", text,
                        "\" is not a number; it is "
                        "NAME[:WEIGHT[:TEXT_ENCODER_WEIGHT]][@START-END]"
                        "[,BLOCK=WEIGHT...]");
  };
  if (!IsUtf8(text)) return "it is not UTF-8";
  const std::vector<std::string> blocks = absl::StrSplit(text, ',');
  const std::pair<std::string, std::string> halves =
      absl::StrSplit(blocks[0], absl::MaxSplits('@', 1));
  const std::vector<std::string> parts = absl::StrSplit(halves.first, ':');
  lora.set_name(parts[0]);
  if (parts[0].empty() || parts.size() > 3) return wrong(halves.first);
  double number = 0;
  for (size_t i = 1; i < parts.size(); ++i) {
    if (!absl::SimpleAtod(parts[i], &number)) return wrong(parts[i]);
    i == 1 ? lora.set_weight(number) : lora.set_text_encoder_weight(number);
  }
  for (size_t i = 1; i < blocks.size(); ++i) {
    const std::pair<std::string, std::string> sides =
        absl::StrSplit(blocks[i], absl::MaxSplits('=', 1));
    if (sides.first.empty() || !absl::SimpleAtod(sides.second, &number)) {
      return wrong(blocks[i]);
    }
    v1::LoraBlockWeight& block = *lora.add_block_weights();
    block.set_block(sides.first);
    block.set_weight(number);
  }
  if (halves.first == blocks[0]) return "";
  const std::vector<std::string> range = absl::StrSplit(halves.second, '-');
  if (range.size() != 2) return wrong(halves.second);
  if (!absl::SimpleAtod(range[0], &number)) return wrong(range[0]);
  lora.set_start(number);
  if (!absl::SimpleAtod(range[1], &number)) return wrong(range[1]);
  lora.set_end(number);
  return "";
}

LoraOptions::LoraOptions(CLI::App& command) {
  command
      .add_option("--lora", loras_,
                  "NAME[:WEIGHT[:TEXT_ENCODER_WEIGHT]][@START-END]"
                  "[,BLOCK=WEIGHT...], an adapter of `genzo loras`; may be "
                  "given several times")
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
