#include "client/command_line.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/shortest_digits.h"
#include "client/sampler_names.h"

namespace genzo {
namespace {

std::string Quoted(const std::string& text) {
  constexpr char kPlain[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.,/:";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) {
    return text;
  }
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// The name of a value; empty for none.
std::string NameOf(const std::map<std::string, int>& names, int value) {
  for (const auto& [name, number] : names) {
    if (number == value) return name;
  }
  return "";
}

// Takes from a request, field by field, what options say.
class Writer {
 public:
  void Text(const char* option, const std::string& value) {
    if (!value.empty()) Add(option, value);
  }
  template <typename T>
  void Number(const char* option, bool is_set, T value) {
    if (is_set) Add(option, Digits(value));
  }
  template <typename T>
  void Numbers(const char* option, const T& values) {
    if (values.empty()) return;
    std::vector<std::string> digits;
    for (const auto value : values) digits.push_back(Digits(value));
    Add(option, absl::StrJoin(digits, ","));
  }
  void Flag(const char* option, bool is_set) {
    if (is_set) words_.emplace_back(option);
  }
  void Add(const char* option, const std::string& value) {
    words_.emplace_back(option);
    words_.push_back(Quoted(value));
  }
  void Add(const std::string& word) { words_.push_back(Quoted(word)); }

  std::string command() const { return absl::StrJoin(words_, " "); }

 private:
  static std::string Digits(double value) { return ShortestDigits(value); }
  static std::string Digits(uint64_t value) { return absl::StrCat(value); }
  static std::string Digits(uint32_t value) { return absl::StrCat(value); }

  std::vector<std::string> words_ = {"genzo", "generate"};
};

void WritePicture(v1::GenerateRequest& request, Writer& writer) {
  if (request.has_image_to_image()) {
    writer.Add("--image", "FILE");
    const auto& start = request.image_to_image();
    writer.Number("--strength", start.has_strength(), start.strength());
  }
  if (request.reproducibility() == v1::REPRODUCIBILITY_REPRODUCIBLE) {
    writer.Flag("--reproducible", true);
  }
  // Off is what a server does that does nothing.
  if (request.safety_policy() > v1::SAFETY_POLICY_OFF) {
    writer.Text("--safety",
                NameOf(SafetyPolicyNames(), request.safety_policy()));
  }
  const v1::OutputOptions& output = request.output();
  if (output.format() != v1::IMAGE_FORMAT_UNSPECIFIED) {
    writer.Text("--format", NameOf(FormatNames(), output.format()));
  }
  writer.Flag("--watermark", output.watermark());
  request.clear_image_to_image();
  request.clear_reproducibility();
  request.clear_safety_policy();
  v1::OutputOptions rest = output;
  rest.clear_format();
  rest.clear_watermark();
  rest.clear_mark_provenance();
  rest.clear_embed_parameters();
  if (rest.quality() == 90) rest.clear_quality();
  if (rest.ByteSizeLong() == 0) request.clear_output();
}

void WriteModelFields(v1::GenerateRequest& request, Writer& writer) {
  writer.Text("--prompt-2", request.prompt_2());
  writer.Text("--negative-2", request.negative_prompt_2());
  writer.Text("--prompt-3", request.prompt_3());
  writer.Text("--negative-3", request.negative_prompt_3());
  writer.Number("--class", request.has_class_label(), request.class_label());
  writer.Number("--true-guidance", request.has_true_guidance_scale(),
                request.true_guidance_scale());
  writer.Number("--max-tokens", request.has_max_sequence_length(),
                request.max_sequence_length());
  writer.Number("--image-guidance", request.has_image_guidance_scale(),
                request.image_guidance_scale());
  const v1::Refiner& refiner = request.refiner();
  writer.Number("--refine-at", refiner.has_switch_at(), refiner.switch_at());
  writer.Number("--aesthetic-score", refiner.has_aesthetic_score(),
                refiner.aesthetic_score());
  writer.Number("--negative-aesthetic-score",
                refiner.has_negative_aesthetic_score(),
                refiner.negative_aesthetic_score());
  for (const char* field :
       {"prompt_2", "negative_prompt_2", "prompt_3", "negative_prompt_3",
        "class_label", "true_guidance_scale", "max_sequence_length",
        "image_guidance_scale", "refiner"}) {
    request.GetReflection()->ClearField(
        &request, request.GetDescriptor()->FindFieldByName(field));
  }
}

void WriteWalk(v1::GenerateRequest& request, Writer& writer) {
  writer.Number("--width", request.has_width(), request.width());
  writer.Number("--height", request.has_height(), request.height());
  writer.Number("--steps", request.has_steps(), request.steps());
  writer.Number("--guidance", request.has_guidance_scale(),
                request.guidance_scale());
  writer.Number("--guidance-rescale", request.guidance_rescale() != 0,
                request.guidance_rescale());
  if (request.sampler() != v1::SAMPLER_UNSPECIFIED) {
    writer.Add("--sampler", SamplerName({.sampler = request.sampler()}));
  }
  writer.Text("--schedule", NameOf(ScheduleNames(), request.schedule()));
  writer.Number("--eta", request.has_eta(), request.eta());
  writer.Number("--clip-skip", request.clip_skip() != 0, request.clip_skip());
  writer.Numbers("--sigmas", request.sigmas());
  writer.Numbers("--timesteps", request.timesteps());
  writer.Text("--noise",
              NameOf(NoiseGeneratorNames(), request.noise_generator()));
  for (const char* field :
       {"width", "height", "steps", "guidance_scale", "guidance_rescale",
        "sampler", "schedule", "eta", "clip_skip", "sigmas", "timesteps",
        "noise_generator"}) {
    request.GetReflection()->ClearField(
        &request, request.GetDescriptor()->FindFieldByName(field));
  }
}

}  // namespace

CommandLine CommandLineOf(v1::GenerateRequest request) {
  Writer writer;
  writer.Add(request.prompt());
  writer.Text("--negative", request.negative_prompt());
  writer.Text("--model", request.model());
  writer.Number("--seed", request.has_seed(), request.seed());
  for (const char* field : {"prompt", "negative_prompt", "model", "seed"}) {
    request.GetReflection()->ClearField(
        &request, request.GetDescriptor()->FindFieldByName(field));
  }
  WriteWalk(request, writer);
  WriteModelFields(request, writer);
  WritePicture(request, writer);
  CommandLine line = {.command = writer.command(), .missing = {}};
  std::vector<const google::protobuf::FieldDescriptor*> left;
  request.GetReflection()->ListFields(request, &left);
  for (const auto* field : left) line.missing.push_back(field->name());
  return line;
}

}  // namespace genzo
