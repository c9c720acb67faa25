#include "worker/engine/image_parameters.h"

#include "absl/strings/str_cat.h"
#include "worker/sampler/sampler_table.h"

namespace genzo {

PictureText ImageParameters(const v1::GenerateRequest& request, uint64_t seed) {
  std::string sampler = "?";
  for (const SamplerSpec& spec : Samplers()) {
    if (spec.id == request.sampler()) sampler = spec.name;
  }
  std::string text = request.prompt();
  if (!request.negative_prompt().empty()) {
    absl::StrAppend(&text, "\nNegative prompt: ", request.negative_prompt());
  }
  absl::StrAppend(&text, "\nSteps: ", request.steps(), ", Sampler: ", sampler,
                  ", CFG scale: ", request.guidance_scale(), ", Seed: ", seed,
                  ", Size: ", request.width(), "x", request.height(),
                  ", Model: ", request.model());
  if (request.guidance_rescale() > 0) {
    absl::StrAppend(&text, ", CFG rescale: ", request.guidance_rescale());
  }
  if (request.eta() > 0) absl::StrAppend(&text, ", Eta: ", request.eta());
  if (request.clip_skip() > 0) {
    absl::StrAppend(&text, ", Clip skip: ", request.clip_skip());
  }
  return {{kParametersKey, text}, {kSoftwareKey, "Genzo"}};
}

}  // namespace genzo
