#include "client/sampler_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace genzo {
namespace {

std::string ShortName(absl::string_view name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

std::map<std::string, int> Names(
    const google::protobuf::EnumDescriptor& descriptor,
    absl::string_view prefix) {
  std::map<std::string, int> names;
  for (int i = 1; i < descriptor.value_count(); ++i) {
    names[ShortName(descriptor.value(i)->name(), prefix)] =
        descriptor.value(i)->number();
  }
  return names;
}

}  // namespace

std::map<std::string, int> SamplerNames() {
  return Names(*v1::Sampler_descriptor(), "SAMPLER_");
}

std::map<std::string, int> ScheduleNames() {
  return Names(*v1::NoiseSchedule_descriptor(), "NOISE_SCHEDULE_");
}

std::map<std::string, int> DecoderNames() {
  auto names = Names(*v1::PreviewDecoder_descriptor(), "PREVIEW_DECODER_");
  names["auto"] = v1::PREVIEW_DECODER_UNSPECIFIED;
  return names;
}

std::map<std::string, int> FormatNames() {
  return Names(*v1::ImageFormat_descriptor(), "IMAGE_FORMAT_");
}

std::map<std::string, int> NoiseGeneratorNames() {
  return Names(*v1::NoiseGenerator_descriptor(), "NOISE_GENERATOR_");
}

std::map<std::string, int> SafetyPolicyNames() {
  return Names(*v1::SafetyPolicy_descriptor(), "SAFETY_POLICY_");
}

std::map<std::string, int> ResizeModeNames() {
  return Names(*v1::ResizeMode_descriptor(), "RESIZE_MODE_");
}

std::string NameOf(const std::map<std::string, int>& names, int value) {
  for (const auto& [name, number] : names) {
    if (number == value) return name;
  }
  return "";
}

std::string SamplerName(const SamplerChoice& choice) {
  std::string name = ShortName(v1::Sampler_Name(choice.sampler), "SAMPLER_");
  if (choice.schedule == v1::NOISE_SCHEDULE_UNSPECIFIED) return name;
  return absl::StrCat(
      name, "_",
      ShortName(v1::NoiseSchedule_Name(choice.schedule), "NOISE_SCHEDULE_"));
}

}  // namespace genzo
