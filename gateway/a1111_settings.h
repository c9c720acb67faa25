#ifndef GENZO_GATEWAY_A1111_SETTINGS_H_
#define GENZO_GATEWAY_A1111_SETTINGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "gateway/json_body.h"
#include "gateway/model_names.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What A1111 has as settings of the server, and its requests as
// override_settings. All of it is pure.

// The settings of `options` that this service knows beside the model, of a body
// that sets them. INVALID_ARGUMENT/INVALID_FIELD for what it lacks.
absl::StatusOr<nlohmann::json> ReadA1111Settings(const nlohmann::json& body);

// `body` with the settings as override_settings; its own come first.
nlohmann::json WithSettings(nlohmann::json body,
                            const nlohmann::json& settings);

// The field override_settings, the model included.
void ReadA1111Overrides(FieldReader& reader, const ModelNames& names,
                        v1::GenerateRequest& request);

// The object `name`; null if it is not there, or is a fault. Clients in PHP
// write an empty one as [].
const nlohmann::json* ReadMap(FieldReader& reader, const std::string& name);

// The fault of a field that asks for `what`, which this service lacks.
void FailAsLacking(FieldReader& reader, const std::string& name,
                   const std::string& what);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_SETTINGS_H_
