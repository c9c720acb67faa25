#include "gateway/sampler_labels.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace genzo {
namespace {

constexpr absl::string_view kSamplerPrefix = "SAMPLER_";
constexpr absl::string_view kSchedulePrefix = "NOISE_SCHEDULE_";

// What `named` finds by the field's text.
template <typename Value>
std::optional<Value> ReadName(
    FieldReader& reader, const NameField& field, const char* what,
    std::optional<Value> (*named)(absl::string_view)) {
  const auto text = reader.Text(field.name);
  if (!text.has_value() || absl::c_linear_search(field.none, *text)) {
    return std::nullopt;
  }
  const std::optional<Value> value = named(*text);
  if (!value.has_value()) {
    reader.Fail(field.name,
                absl::StrCat(ShownValue(*text), " is not the name of a ", what,
                             field.where.empty() ? "" : "; ", field.where));
  }
  return value;
}

}  // namespace

std::optional<SamplerChoice> ReadSamplerName(FieldReader& reader,
                                             const NameField& field) {
  return ReadName(reader, field, "sampler", SamplerNamed);
}

std::optional<v1::NoiseSchedule> ReadScheduleName(FieldReader& reader,
                                                  const NameField& field) {
  return ReadName(reader, field, "schedule", ScheduleNamed);
}

std::optional<SamplerChoice> SamplerNamed(absl::string_view name) {
  return FindSampler(absl::StripPrefix(name, kSamplerPrefix));
}

std::optional<v1::NoiseSchedule> ScheduleNamed(absl::string_view name) {
  return FindSchedule(absl::StripPrefix(name, kSchedulePrefix));
}

std::string LabelOf(v1::Sampler sampler) {
  std::string label = LabelsOf({sampler}).sampler;
  const auto read = FindSampler(label);
  if (read.has_value() && read->sampler == sampler) return label;
  const std::string& name = v1::Sampler_Name(sampler);
  return absl::StrReplaceAll(absl::StripPrefix(name, kSamplerPrefix),
                             {{"_", " "}});
}

std::string LabelOf(v1::NoiseSchedule schedule) {
  if (schedule == v1::NOISE_SCHEDULE_UNSPECIFIED) return "Automatic";
  return LabelsOf({v1::SAMPLER_EULER, schedule}).schedule;
}

}  // namespace genzo
