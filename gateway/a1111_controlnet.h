#ifndef GENZO_GATEWAY_A1111_CONTROLNET_H_
#define GENZO_GATEWAY_A1111_CONTROLNET_H_

#include <string>

#include "gateway/field_names.h"
#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// The API of the extension sd-webui-controlnet, as far as this service goes:
// alwayson_scripts.controlnet.args, and its lists. All of it is pure.

// Whether a script of alwayson_scripts is the extension.
bool IsControlNetScript(absl::string_view name);

// Adds the enabled units among `arguments` to the request: as controls, or as
// image prompts where the module is an ip-adapter. A unit without a picture
// follows the one that the request starts from. Faults name the unit by
// `place`, "alwayson_scripts.controlnet.args", where the arguments are; modules
// that need networks of their own are some: their hints can be sent, with
// module "none". Adds to `names` what the service's faults are called.
void ReadControlNetUnits(const std::string& place,
                         const nlohmann::json& arguments, FieldReader& reader,
                         v1::GenerateRequest& request, FieldNames& names);

// The arguments as they are shown again: without pictures.
nlohmann::json WithoutPictures(nlohmann::json arguments);

// Answers of GET /controlnet/model_list (`model` may be null),
// /controlnet/module_list.
nlohmann::json ControlNetModels(const v1::Model* model);
nlohmann::json ControlNetModules();

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_CONTROLNET_H_
