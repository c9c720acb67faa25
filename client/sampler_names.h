#ifndef GENZO_CLIENT_SAMPLER_NAMES_H_
#define GENZO_CLIENT_SAMPLER_NAMES_H_

#include <map>
#include <string>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// A sampler and the schedule that its name asks for as well.
struct SamplerChoice {
  v1::Sampler sampler = v1::SAMPLER_UNSPECIFIED;
  v1::NoiseSchedule schedule = v1::NOISE_SCHEDULE_UNSPECIFIED;
};

// Names of enum values as the command line spells them: the proto's, without
// prefix and in lower case. "unspecified" is left out, but a decoder may be
// "auto"; "dpmpp_2m_karras" is dpmpp_2m on the schedule karras.
std::map<std::string, SamplerChoice> SamplerNames();
std::map<std::string, int> ScheduleNames();
std::map<std::string, int> DecoderNames();
std::map<std::string, int> FormatNames();

// "dpmpp_2m", or "dpmpp_2m_karras" with a schedule.
std::string SamplerName(const SamplerChoice& choice);

}  // namespace genzo

#endif  // GENZO_CLIENT_SAMPLER_NAMES_H_
