#include "client/sampler_names.h"

#include "absl/strings/ascii.h"
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
  return Names(*v1::GenerateRequest::Sampler_descriptor(), "SAMPLER_");
}

std::map<std::string, int> DecoderNames() {
  return Names(*v1::PreviewPlan::Decoder_descriptor(), "DECODER_");
}

std::map<std::string, int> FormatNames() {
  return Names(*v1::ImageFormat_descriptor(), "IMAGE_FORMAT_");
}

std::string SamplerName(v1::GenerateRequest::Sampler sampler) {
  return ShortName(v1::GenerateRequest::Sampler_Name(sampler), "SAMPLER_");
}

}  // namespace genzo
