#ifndef GENZO_GATEWAY_SAMPLER_LABELS_H_
#define GENZO_GATEWAY_SAMPLER_LABELS_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "genzo/v1/types.pb.h"

// Samplers and schedules by the names that people write. All are made from the
// proto's, so that a sampler that is added is known at every door. All
// functions are pure.

namespace genzo {

struct NamedSampler {
  v1::Sampler sampler = v1::SAMPLER_UNSPECIFIED;
  v1::NoiseSchedule schedule = v1::NOISE_SCHEDULE_UNSPECIFIED;
};

// "dpmpp_2m", "DPM++ 2M" and "SAMPLER_DPMPP_2M" are one, "Euler a" is
// euler_ancestral, and a schedule may follow: "DPM++ 2M Karras". Nullopt for
// other names.
std::optional<NamedSampler> SamplerNamed(absl::string_view name);
// "karras" and "Karras"; "automatic" and "uniform" are the model's own.
std::optional<v1::NoiseSchedule> ScheduleNamed(absl::string_view name);

// As A1111 writes them: "DPM++ 2M", "Euler a", "Karras"; "Automatic" for the
// model's own schedule.
std::string LabelOf(v1::Sampler sampler);
std::string LabelOf(v1::NoiseSchedule schedule);

}  // namespace genzo

#endif  // GENZO_GATEWAY_SAMPLER_LABELS_H_
