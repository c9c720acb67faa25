#include "client/control_options.h"

#include <map>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/input_file.h"
#include "client/sampler_names.h"

namespace genzo {
namespace {

using Control = v1::ControlInput;

constexpr char kControlForm[] =
    "NAME=FILE[,canny|tile|inpaint][,low=L][,high=H][,guess][,start=S][,end=E]"
    "[,crop|stretch|fill][:WEIGHT]";
constexpr char kPromptForm[] = "NAME=FILE[:WEIGHT]";

absl::Status Malformed(const char* option, const std::string& text,
                       const char* form) {
  return absl::InvalidArgumentError(
      absl::StrCat(option, " \"", text, "\" is not ", form));
}

absl::Status ReadInto(const std::string& path, v1::InputPicture& picture) {
  auto bytes = ReadInputFile(path);
  if (bytes.ok()) picture.set_data(*std::move(bytes));
  return bytes.status();
}

// Takes a number behind the last colon off `text`. Other colons are a path's.
std::optional<double> TakeWeight(std::string& text) {
  const size_t colon = text.rfind(':');
  double weight = 0;
  if (colon == std::string::npos ||
      !absl::SimpleAtod(text.substr(colon + 1), &weight)) {
    return std::nullopt;
  }
  text.resize(colon);
  return weight;
}

// Splits "NAME=REST"; false if either is empty.
bool SplitName(const std::string& text, std::string& name, std::string& rest) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  name = text.substr(0, equals);
  rest = text.substr(equals + 1);
  return !rest.empty();
}

// One word behind the file. False if it is none that is known.
bool TakeWord(absl::string_view word, Control& control) {
  static const auto* const preprocessors =
      new std::map<absl::string_view, Control::Preprocessor>{
          {"canny", Control::PREPROCESSOR_CANNY},
          {"tile", Control::PREPROCESSOR_TILE},
          {"inpaint", Control::PREPROCESSOR_INPAINT}};
  const auto found = preprocessors->find(word);
  if (found != preprocessors->end()) {
    control.set_preprocessor(found->second);
    return true;
  }
  static const auto* const modes =
      new std::map<std::string, int>(ResizeModeNames());
  const auto mode = modes->find(std::string(word));
  if (mode != modes->end()) {
    control.set_resize_mode(static_cast<v1::ResizeMode>(mode->second));
    return true;
  }
  if (word == "guess") {
    control.set_guess_mode(true);
    return true;
  }
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(word, absl::MaxSplits('=', 1));
  if (parts.first == "low" || parts.first == "high") {
    uint32_t change = 0;
    if (!absl::SimpleAtoi(parts.second, &change)) return false;
    parts.first == "low" ? control.set_canny_low(change)
                         : control.set_canny_high(change);
    return true;
  }
  double number = 0;
  if (!absl::SimpleAtod(parts.second, &number)) return false;
  if (parts.first == "start") {
    control.set_start(number);
  } else if (parts.first == "end") {
    control.set_end(number);
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::Status ParseControl(const std::string& text, Control& control,
                          std::string& path) {
  std::string left = text;
  const auto weight = TakeWeight(left);
  if (weight.has_value()) control.set_weight(*weight);
  if (!SplitName(left, *control.mutable_name(), path)) {
    return Malformed("--control", text, kControlForm);
  }
  // From the end, so that a path may have commas.
  size_t comma = path.rfind(',');
  while (comma != std::string::npos &&
         TakeWord(absl::string_view(path).substr(comma + 1), control)) {
    path.resize(comma);
    comma = path.rfind(',');
  }
  return path.empty() ? Malformed("--control", text, kControlForm)
                      : absl::OkStatus();
}

void ControlOptions::AddTo(CLI::App& command) {
  command
      .add_option("--control", controls_,
                  "a picture whose composition is followed, and the model's "
                  "control network for it; may be repeated")
      ->type_name(kControlForm)
      ->allow_extra_args(false);
  command
      .add_option(
          "--image-prompt", prompts_,
          "a picture that is read as a prompt, and the model's adapter "
          "for it; may be repeated, and pictures for one adapter that "
          "follow one another, the later ones without a weight, are one "
          "prompt")
      ->type_name(kPromptForm)
      ->allow_extra_args(false);
}

absl::Status ControlOptions::SetIn(v1::GenerateRequest& request) const {
  for (const std::string& text : controls_) {
    Control& control = *request.add_controls();
    std::string path;
    absl::Status status = ParseControl(text, control, path);
    if (status.ok()) status = ReadInto(path, *control.mutable_picture());
    if (!status.ok()) return status;
  }
  for (const std::string& text : prompts_) {
    std::string left = text;
    std::string name;
    std::string path;
    const auto weight = TakeWeight(left);
    if (!SplitName(left, name, path)) {
      return Malformed("--image-prompt", text, kPromptForm);
    }
    auto& all = *request.mutable_image_prompts();
    const bool another =
        !weight.has_value() && !all.empty() && all.rbegin()->name() == name;
    v1::ImagePrompt& prompt = another ? *all.rbegin() : *all.Add();
    prompt.set_name(name);
    if (weight.has_value()) prompt.set_weight(*weight);
    const absl::Status status = ReadInto(path, *prompt.add_pictures());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace genzo
