#ifndef GENZO_CLIENT_SAMPLER_NAMES_H_
#define GENZO_CLIENT_SAMPLER_NAMES_H_

#include <map>
#include <string>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Names of enum values as the command line spells them: the proto's, without
// prefix and in lower case. "unspecified" is left out.
std::map<std::string, int> SamplerNames();
std::map<std::string, int> DecoderNames();
std::map<std::string, int> FormatNames();

// "SAMPLER_DPMPP_2M" -> "dpmpp_2m".
std::string SamplerName(v1::GenerateRequest::Sampler sampler);

}  // namespace genzo

#endif  // GENZO_CLIENT_SAMPLER_NAMES_H_
