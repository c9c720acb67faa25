#include "gateway/sampler_labels.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/sampler_spelling.h"

namespace genzo {
namespace {

constexpr absl::string_view kSamplerPrefix = "SAMPLER_";
constexpr absl::string_view kSchedulePrefix = "NOISE_SCHEDULE_";
// What is left of a name when only its letters and digits count.
std::string Bare(absl::string_view name) {
  std::string text = absl::AsciiStrToLower(name);
  if (absl::EndsWith(text, " a")) text += "ncestral";
  if (absl::StrContains(text, " a ")) {
    text = absl::StrReplaceAll(text, {{" a ", " ancestral "}});
  }
  text = absl::StrReplaceAll(text, {{"+", "p"}});
  std::string bare;
  for (const char c : text) {
    if (absl::ascii_isalnum(c)) bare.push_back(c);
  }
  return bare;
}

std::string BareOf(const google::protobuf::EnumValueDescriptor& value,
                   absl::string_view prefix) {
  return Bare(absl::StripPrefix(value.name(), prefix));
}

// "DPMPP_2M" as "DPM++ 2M": abbreviations and what has digits stay large.
std::string Label(absl::string_view name) {
  std::vector<std::string> words = absl::StrSplit(name, '_', absl::SkipEmpty());
  constexpr size_t kLongestAbbreviation = 4;
  for (std::string& word : words) {
    if (word == "ANCESTRAL") {
      word = "a";
    } else if (absl::EndsWith(word, "PP")) {
      word = word.substr(0, word.size() - 2) + "++";
    } else if (word.size() > kLongestAbbreviation || word == "HEUN") {
      word = word.substr(0, 1) + absl::AsciiStrToLower(word.substr(1));
    }
  }
  return absl::StrJoin(words, " ");
}

}  // namespace

std::optional<v1::NoiseSchedule> ScheduleNamed(absl::string_view name) {
  return FindSchedule(absl::StripPrefix(name, kSchedulePrefix));
}

std::optional<NamedSampler> SamplerNamed(absl::string_view name) {
  const std::string bare = Bare(absl::StripPrefix(name, kSamplerPrefix));
  const auto& descriptor = *v1::Sampler_descriptor();
  for (int i = 1; i < descriptor.value_count(); ++i) {
    const auto& value = *descriptor.value(i);
    absl::string_view rest = bare;
    if (!absl::ConsumePrefix(&rest, BareOf(value, kSamplerPrefix))) continue;
    const auto sampler = static_cast<v1::Sampler>(value.number());
    if (rest.empty()) return NamedSampler{.sampler = sampler};
    // Another sampler's name may begin with this one's.
    const auto schedule = ScheduleNamed(rest);
    if (schedule.has_value()) return NamedSampler{sampler, *schedule};
  }
  // What others call them, and our own files.
  const auto found = FindSampler(name);
  if (!found.has_value()) return std::nullopt;
  return NamedSampler{found->sampler, found->schedule};
}

std::string LabelOf(v1::Sampler sampler) {
  return Label(absl::StripPrefix(v1::Sampler_Name(sampler), kSamplerPrefix));
}

std::string LabelOf(v1::NoiseSchedule schedule) {
  if (schedule == v1::NOISE_SCHEDULE_UNSPECIFIED) return "Automatic";
  return Label(
      absl::StripPrefix(v1::NoiseSchedule_Name(schedule), kSchedulePrefix));
}

}  // namespace genzo
