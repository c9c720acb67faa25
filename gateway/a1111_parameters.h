#ifndef GENZO_GATEWAY_A1111_PARAMETERS_H_
#define GENZO_GATEWAY_A1111_PARAMETERS_H_

#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What A1111 and its extension for ControlNet tell of a request, as resolved,
// beside what `info` has fields for; what is as it is by default is left out,
// as there:
//
//   {"Schedule type": "Karras", "Mask blur": 4, "Inpaint area": "Only masked",
//    "Masked area padding": 32, "Masked content": "fill",
//    "Hires steps": 10, "Hires upscaler": "Latent", ...,
//    "ControlNet 0": "Module: canny, Model: canny, Weight: 1, ..."}
//
// "Hires steps" are those that the second pass makes. Pure. References: init()
// of A1111's modules/processing.py, scripts/infotext.py of sd-webui-controlnet.
nlohmann::json A1111Parameters(const v1::GenerateRequest& request);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_PARAMETERS_H_
