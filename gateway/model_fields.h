#ifndef GENZO_GATEWAY_MODEL_FIELDS_H_
#define GENZO_GATEWAY_MODEL_FIELDS_H_

#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// Reads what some models or samplers take beside what all do, and how urgent a
// job is, under the proto's names at every JSON door: prompt_2, class_label,
// refiner, sigmas, noise_level, priority and their like. Lists and
// objects may be texts of JSON, choices are in lower case ("cuda", "high"),
// time_limit is in seconds. Whether the model takes them is the service's to
// say. Faults go to `reader`.
void ReadModelFields(FieldReader& reader, v1::GenerateRequest& request);

// Their schemas, by the names of the fields.
nlohmann::json ModelFieldSchemas();
// The schema of a field of such a type.
nlohmann::json Described(const std::string& type,
                         const std::string& description);

// Reads the field `name` into `message`, whose fields it has: an object, or a
// text that is one. False if it is not there.
bool ReadMessage(FieldReader& reader, const std::string& name,
                 google::protobuf::Message& message);
// A list or an object, or a text that is one; nullopt if it is not there.
std::optional<nlohmann::json> Structured(FieldReader& reader,
                                         const std::string& name);

}  // namespace genzo

#endif  // GENZO_GATEWAY_MODEL_FIELDS_H_
