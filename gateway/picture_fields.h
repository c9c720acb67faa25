#ifndef GENZO_GATEWAY_PICTURE_FIELDS_H_
#define GENZO_GATEWAY_PICTURE_FIELDS_H_

#include <string>

#include "absl/status/status.h"
#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// Reads what is to become of finished pictures, under the same names at every
// JSON door: best_of, scorer, safety, watermark, provenance, embed_parameters,
// tiny_decoder, reproducible. Faults go to `reader`.
void ReadPictureFields(FieldReader& reader, v1::GenerateRequest& request);
// Their schemas, by the names of the fields.
nlohmann::json PictureFieldSchemas();

// Reads what file a picture becomes, output_format ("png", "jpeg", "webp"),
// which it returns, and output_compression.
std::string ReadFileFormat(FieldReader& reader, v1::OutputOptions& output);
// Their schemas, by the names of the fields.
nlohmann::json FileFormatSchemas();

// What a client is told where the server's policy withheld every picture.
absl::Status AllWithheldError();
// The same of one of several.
absl::Status WithheldError(uint32_t image_index);

}  // namespace genzo

#endif  // GENZO_GATEWAY_PICTURE_FIELDS_H_
