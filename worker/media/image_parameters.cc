#include "worker/media/image_parameters.h"

#include "absl/strings/str_cat.h"
#include "base/shortest_digits.h"

namespace genzo {
namespace {

// How the web UI's menus spell what a request names.
struct SamplerLabels {
  v1::Sampler id;
  const char* sampler;
  const char* schedule;  // of the model's own; empty: what the web UI takes
};

constexpr SamplerLabels kSamplerLabels[] = {
    {v1::SAMPLER_DDIM, "DDIM", ""},
    {v1::SAMPLER_PNDM, "PLMS", ""},
    {v1::SAMPLER_EULER, "Euler", ""},
    {v1::SAMPLER_EULER_ANCESTRAL, "Euler a", ""},
    // Without a name that one would be taken to be on Karras' sigmas.
    {v1::SAMPLER_DPMPP_2M, "DPM++ 2M", "Uniform"},
    {v1::SAMPLER_FLOW_EULER, "Euler", ""},
    {v1::SAMPLER_FLOW_HEUN, "Heun", ""},
};

SamplerLabels LabelsOf(v1::Sampler id) {
  for (const SamplerLabels& labels : kSamplerLabels) {
    if (labels.id == id) return labels;
  }
  return {id, "?", ""};
}

const char* ScheduleOf(const v1::GenerateRequest& request) {
  switch (request.schedule()) {
    case v1::NOISE_SCHEDULE_KARRAS:
      return "Karras";
    case v1::NOISE_SCHEDULE_EXPONENTIAL:
      return "Exponential";
    case v1::NOISE_SCHEDULE_BETA:
      return "Beta";
    default:
      return LabelsOf(request.sampler()).schedule;
  }
}

}  // namespace

PictureText ImageParameters(const v1::GenerateRequest& request, uint64_t seed) {
  std::string text = request.prompt();
  if (!request.negative_prompt().empty()) {
    absl::StrAppend(&text, "\nNegative prompt: ", request.negative_prompt());
  }
  absl::StrAppend(&text, "\nSteps: ", request.steps(),
                  ", Sampler: ", LabelsOf(request.sampler()).sampler);
  const auto add = [&](const char* key, const std::string& value) {
    absl::StrAppend(&text, ", ", key, ": ", value);
  };
  const char* const schedule = ScheduleOf(request);
  if (*schedule != '\0') add("Schedule type", schedule);
  add("CFG scale", ShortestDigits(request.guidance_scale()));
  add("Seed", absl::StrCat(seed));
  add("Size", absl::StrCat(request.width(), "x", request.height()));
  add("Model", request.model());
  if (request.has_image_to_image()) {
    add("Denoising strength",
        ShortestDigits(request.image_to_image().strength()));
  }
  if (request.guidance_rescale() > 0) {
    add("CFG rescale", ShortestDigits(request.guidance_rescale()));
  }
  if (request.eta() > 0) add("Eta DDIM", ShortestDigits(request.eta()));
  if (request.clip_skip() > 0) {
    add("Clip skip", absl::StrCat(request.clip_skip() + uint64_t{1}));
  }
  add("RNG", "CPU");
  return {{kParametersKey, text}, {kSoftwareKey, "Genzo"}};
}

}  // namespace genzo
