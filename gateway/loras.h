#ifndef GENZO_GATEWAY_LORAS_H_
#define GENZO_GATEWAY_LORAS_H_

#include <string>

#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Takes A1111's tags out of a prompt and adds the adapters that they name:
// "<lora:NAME:TEXT_ENCODER_WEIGHT:WEIGHT>", of which the last defaults to the
// one before it and that to 1, both also as "te=0.5" and "unet=0.8". Returns
// what is wrong with one, or that there are more than kMaxListEntries; then the
// prompt is as it was. Else nothing.
std::string TakeLoraTags(std::string& prompt, v1::GenerateRequest& request);

// Reads the field "loras": a list of names, "NAME:WEIGHT", or of objects with
// the fields of LoraUse. As a text, that list in JSON, or names with commas
// between them.
void ReadLoras(FieldReader& reader, v1::GenerateRequest& request);
// Its schema.
nlohmann::json LorasSchema();

}  // namespace genzo

#endif  // GENZO_GATEWAY_LORAS_H_
