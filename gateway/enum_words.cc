#include "gateway/enum_words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/sampler_labels.h"

namespace genzo {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

namespace {

// What the names of the values begin with, "NOISE_SCHEDULE_"; "" if unknown.
absl::string_view PrefixOf(const EnumDescriptor& type) {
  absl::string_view prefix = type.value(0)->name();
  return absl::ConsumeSuffix(&prefix, "UNSPECIFIED") ? prefix : "";
}

// The proto's name for `word`; "" if there is none.
std::string NameFor(const EnumDescriptor& type, const std::string& word) {
  const absl::string_view prefix = PrefixOf(type);
  if (prefix.empty() || type.FindValueByName(word) != nullptr) return "";
  const std::string name = absl::StrCat(prefix, absl::AsciiStrToUpper(word));
  if (type.FindValueByName(name) != nullptr) return name;
  if (&type == v1::Sampler_descriptor()) {
    const auto choice = SamplerNamed(word);
    // "DPM++ 2M Karras" says more than a sampler.
    const bool is_alone = choice.has_value() &&
                          choice->schedule == v1::NOISE_SCHEDULE_UNSPECIFIED;
    return is_alone ? v1::Sampler_Name(choice->sampler) : "";
  }
  if (&type == v1::NoiseSchedule_descriptor()) {
    const auto schedule = ScheduleNamed(word);
    return schedule.has_value() ? v1::NoiseSchedule_Name(*schedule) : "";
  }
  return "";
}

bool SpellOutValue(const FieldDescriptor& field, json& value) {
  if (field.message_type() != nullptr) {
    return SpellOutWords(*field.message_type(), value);
  }
  if (field.enum_type() == nullptr || !value.is_string()) return false;
  const std::string name =
      NameFor(*field.enum_type(), value.get_ref<const std::string&>());
  if (!name.empty()) value = name;
  return !name.empty();
}

}  // namespace

std::vector<std::string> WordsOf(const EnumDescriptor& type) {
  std::vector<std::string> words;
  const absl::string_view prefix = PrefixOf(type);
  if (prefix.empty()) return words;
  for (int i = 1; i < type.value_count(); ++i) {
    words.push_back(absl::AsciiStrToLower(
        absl::StripPrefix(type.value(i)->name(), prefix)));
  }
  return words;
}

const FieldDescriptor* FieldNamed(const Descriptor& message,
                                  const std::string& name) {
  const FieldDescriptor* field = message.FindFieldByName(name);
  return field != nullptr ? field : message.FindFieldByCamelcaseName(name);
}

bool SpellOutWords(const Descriptor& message, json& body) {
  if (!body.is_object()) return false;
  bool any = false;
  for (auto member = body.begin(); member != body.end(); ++member) {
    const FieldDescriptor* field = FieldNamed(message, member.key());
    if (field == nullptr) continue;
    if (!field->is_repeated()) {
      any |= SpellOutValue(*field, member.value());
    } else if (member.value().is_array()) {
      for (json& entry : member.value()) any |= SpellOutValue(*field, entry);
    }
  }
  return any;
}

}  // namespace genzo
