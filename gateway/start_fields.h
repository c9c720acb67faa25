#ifndef GENZO_GATEWAY_START_FIELDS_H_
#define GENZO_GATEWAY_START_FIELDS_H_

#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/upscaling.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// How a picture is started from and painted in, under the same names at
// OpenAI's door and in the tools of MCP. Faults go to `reader`.

// strength, source_prompt, resize_mode.
void ReadStartFields(FieldReader& reader, v1::ImageToImage& from);

// Of these one alone, for doors that have their own of the others. What the
// picture shows, which has the walk begin at its own noise.
void ReadSourcePrompt(FieldReader& reader, v1::ImageToImage& from);
v1::ResizeMode ReadResizeMode(FieldReader& reader);

// Of a file that is enlarged: upscaler, factor.
void ReadUpscaler(FieldReader& reader, v1::UpscaleRequest& request);

// mask_blur, mask_fill, only_masked, mask_padding, invert_mask,
// mask_is_transparency, extend; and inversion.
void ReadMaskFields(FieldReader& reader, v1::GenerateRequest& request);

// Of these `extend` alone: what is painted around the picture.
void ReadBorders(FieldReader& reader, v1::GenerateRequest& request);

// Schemas of both, by the names of the fields, and of one.
nlohmann::json StartSchemas();
nlohmann::json MaskSchemas();
nlohmann::json ResizeModeSchema();

}  // namespace genzo

#endif  // GENZO_GATEWAY_START_FIELDS_H_
