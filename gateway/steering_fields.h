#ifndef GENZO_GATEWAY_STEERING_FIELDS_H_
#define GENZO_GATEWAY_STEERING_FIELDS_H_

#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// Reads what steers a picture, under the same names at every JSON door (A1111's
// has names of its own for some, too): controls, image_prompts, guidance,
// variation, hires, upscaler, prompt_syntax, keep_latents, start_latents, and
// strength where those stand in for a picture to start from; of a picture it is
// the door's to read, before this. Lists and objects may be texts of JSON, as
// in forms. A control without a picture of its own follows the one that
// `request` starts from already. Faults go to `reader`.
void ReadSteeringFields(FieldReader& reader, v1::GenerateRequest& request);

// Their schemas, by the names of the fields.
nlohmann::json SteeringSchemas();

}  // namespace genzo

#endif  // GENZO_GATEWAY_STEERING_FIELDS_H_
