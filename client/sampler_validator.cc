#include "client/sampler_validator.h"

#include "absl/strings/str_cat.h"
#include "base/sampler_spelling.h"

namespace genzo {

CLI::Validator SamplerSpelling() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        if (FindSampler(text).has_value()) return "";
        return absl::StrCat("\"", text, "\" is no sampler that is known");
      },
      "NAME");
}

}  // namespace genzo
