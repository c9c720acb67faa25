#include "client/sampler_validator.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/sampler_spelling.h"
#include "client/sampler_names.h"

namespace genzo {

CLI::Validator SamplerSpelling() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        if (FindSampler(text).has_value()) return "";
        return absl::StrCat("\"", text, "\" is no sampler that is known");
      },
      "NAME");
}

CLI::Validator ScheduleSpelling() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        if (FindSchedule(text).has_value()) return "";
        std::vector<std::string> known;
        for (const auto& [name, value] : ScheduleNames()) known.push_back(name);
        return absl::StrCat("\"", text, "\" is none of ",
                            absl::StrJoin(known, ", "), ", automatic");
      },
      "NAME");
}

}  // namespace genzo
