#ifndef GENZO_BASE_SAMPLER_SPELLING_H_
#define GENZO_BASE_SAMPLER_SPELLING_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "genzo/v1/types.pb.h"

namespace genzo {

// A sampler and the schedule that its name asks for as well.
struct SamplerChoice {
  v1::Sampler sampler = v1::SAMPLER_UNSPECIFIED;
  v1::NoiseSchedule schedule = v1::NOISE_SCHEDULE_UNSPECIFIED;
};

// What people call samplers and schedules: the proto's names ("dpmpp_2m_sde"),
// the web UI's ("DPM++ 2M SDE Karras", "Euler a"), the class names of diffusers
// ("UniPCMultistepScheduler") and k-diffusion's functions ("sample_dpm_2").
// Case, spaces and punctuation do not matter. A schedule is UNSPECIFIED where
// they mean the model's own: "Automatic", "Uniform", "Normal". Nothing if it is
// no known name.
std::optional<SamplerChoice> FindSampler(absl::string_view name);
std::optional<v1::NoiseSchedule> FindSchedule(absl::string_view name);

// How the web UI's menus, and with them all that read its files, spell a
// choice.
// "?" for a sampler that has no name; a schedule is empty where the web UI
// would take what is meant without being told.
struct SamplerLabels {
  std::string sampler;
  std::string schedule;
};
SamplerLabels LabelsOf(const SamplerChoice& choice);

}  // namespace genzo

#endif  // GENZO_BASE_SAMPLER_SPELLING_H_
