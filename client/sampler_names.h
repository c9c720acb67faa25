#ifndef GENZO_CLIENT_SAMPLER_NAMES_H_
#define GENZO_CLIENT_SAMPLER_NAMES_H_

#include <map>
#include <string>

#include "base/sampler_spelling.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Names of enum values as the command line spells them: the proto's, without
// prefix and in lower case. "unspecified" is left out, but a decoder may be
// "auto".
std::map<std::string, int> SamplerNames();
std::map<std::string, int> ScheduleNames();
std::map<std::string, int> DecoderNames();
std::map<std::string, int> FormatNames();
std::map<std::string, int> NoiseGeneratorNames();
std::map<std::string, int> SafetyPolicyNames();
std::map<std::string, int> ResizeModeNames();

// The name of a value among those; empty for none.
std::string NameOf(const std::map<std::string, int>& names, int value);

// "dpmpp_2m", or "dpmpp_2m_karras" with a schedule.
std::string SamplerName(const SamplerChoice& choice);

}  // namespace genzo

#endif  // GENZO_CLIENT_SAMPLER_NAMES_H_
