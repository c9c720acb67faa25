#include "worker/media/parameter_words.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/shortest_digits.h"
#include "base/upscale_plan.h"

namespace genzo {

std::string ParameterValue(const std::string& text) {
  if (text.find_first_of(",:\n") == text.npos) return text;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

std::string UpscaleParameters(const v1::UpscaleRequest& request) {
  std::string words;
  if (request.has_width()) {
    words = absl::StrCat("Postprocess upscale to: ", request.width(), "x",
                         request.height(), ", ");
  } else if (request.has_factor() || request.upscaler() == kLanczos) {
    const double factor =
        request.has_factor() ? request.factor() : kLanczosFactor;
    words =
        absl::StrCat("Postprocess upscale by: ", ShortestDigits(factor), ", ");
  }
  return absl::StrCat(
      words, "Postprocess upscaler: ", ParameterValue(request.upscaler()));
}

}  // namespace genzo
