#include "gateway/sampler_labels.h"

#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace genzo {
namespace {

constexpr absl::string_view kSamplerPrefix = "SAMPLER_";
constexpr absl::string_view kSchedulePrefix = "NOISE_SCHEDULE_";

}  // namespace

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
