#include "base/start_latents.h"

#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {

absl::Status CheckStartLatents(const KeptLatentFacts& kept,
                               const std::string& model, int64_t width,
                               int64_t height) {
  std::string what;
  if (kept.model != model) {
    what = absl::StrCat("model \"", kept.model, "\", not of \"", model, "\"");
  } else if (kept.width != width || kept.height != height) {
    what = absl::StrCat("width ", kept.width, " and height ", kept.height,
                        ", not of ", width, " and ", height);
  }
  if (what.empty()) return absl::OkStatus();
  return InvalidFieldsError(
      {{"start_latents", absl::StrCat("start_latents are of ", what)}});
}

}  // namespace genzo
