#include "gateway/start_fields.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/upscale_plan.h"
#include "gateway/model_fields.h"

namespace genzo {

using nlohmann::json;
using v1::Inpainting;

v1::ResizeMode ReadResizeMode(FieldReader& reader) {
  const std::string word =
      reader.Choice("resize_mode", {"default", "crop", "stretch", "fill"});
  v1::ResizeMode mode = v1::RESIZE_MODE_UNSPECIFIED;
  v1::ResizeMode_Parse(
      absl::StrCat("RESIZE_MODE_", absl::AsciiStrToUpper(word)), &mode);
  return mode;
}

void ReadSourcePrompt(FieldReader& reader, v1::ImageToImage& from) {
  if (const auto shown = reader.Text("source_prompt")) {
    from.mutable_inversion()->set_prompt(*shown);
  }
}

void ReadStartFields(FieldReader& reader, v1::ImageToImage& from) {
  ReadSourcePrompt(reader, from);
  if (const auto strength = reader.Number("strength", 0, 1)) {
    from.set_strength(*strength);
  }
  from.set_resize_mode(ReadResizeMode(reader));
}

void ReadBorders(FieldReader& reader, v1::GenerateRequest& request) {
  constexpr char kName[] = "extend";
  const json* given = reader.Any(kName);
  if (given == nullptr) return;
  // "64,0,64,0" is a list without its brackets.
  json list = *given;
  if (given->is_string()) {
    list = json::parse(absl::StrCat("[", given->get<std::string>(), "]"),
                       /*cb=*/nullptr, /*allow_exceptions=*/false);
  }
  std::vector<uint32_t> borders;
  for (const json& border : list.is_array() ? list : json::array()) {
    const auto pixels = reader.WholeOf(border);
    if (!pixels.has_value() || *pixels < 0 || *pixels > kMaxCount) break;
    borders.push_back(static_cast<uint32_t>(*pixels));
  }
  if (borders.size() != 4 || list.size() != 4) {
    return reader.Fail(kName,
                       absl::StrCat(ShownValue(*given),
                                    " is not left, top, right and bottom"));
  }
  v1::Outpainting& out = *request.mutable_outpainting();
  out.set_left(borders[0]);
  out.set_top(borders[1]);
  out.set_right(borders[2]);
  out.set_bottom(borders[3]);
}

void ReadUpscaler(FieldReader& reader, v1::UpscaleRequest& request) {
  request.set_upscaler(reader.Text("upscaler").value_or(""));
  if (const auto factor = reader.Number("factor", 0, kMaxUpscaleFactor)) {
    request.set_factor(*factor);
  }
}

void ReadMaskFields(FieldReader& reader, v1::GenerateRequest& request) {
  const auto blur = reader.Whole("mask_blur", 0, kMaxCount);
  if (blur.has_value()) {
    request.mutable_inpainting()->set_mask_blur(static_cast<uint32_t>(*blur));
  }
  const std::string fill = reader.Choice(
      "mask_fill", {"default", "original", "noise", "blur", "nothing"});
  Inpainting::Fill filled = Inpainting::FILL_UNSPECIFIED;
  if (Inpainting::Fill_Parse(absl::StrCat("FILL_", absl::AsciiStrToUpper(fill)),
                             &filled)) {
    request.mutable_inpainting()->set_fill(filled);
  }
  if (reader.Truth("only_masked").value_or(false)) {
    request.mutable_inpainting()->set_only_masked(true);
  }
  if (const auto padding = reader.Whole("mask_padding", 0, kMaxCount)) {
    request.mutable_inpainting()->set_padding(static_cast<uint32_t>(*padding));
  }
  if (reader.Truth("invert_mask").value_or(false)) {
    request.mutable_inpainting()->set_invert_mask(true);
  }
  if (const auto is = reader.Truth("mask_is_transparency")) {
    request.mutable_inpainting()->set_mask_is_transparency(*is);
  }
  ReadBorders(reader, request);
  v1::ImageToImage::Inversion inversion;
  if (ReadMessage(reader, "inversion", inversion)) {
    request.mutable_image_to_image()->mutable_inversion()->MergeFrom(inversion);
  }
}

json ResizeModeSchema() {
  return {{"type", "string"},
          {"enum", {"default", "crop", "stretch", "fill"}},
          {"description",
           "How a picture of other proportions becomes the size that is "
           "painted. Default: crop."}};
}

json StartSchemas() {
  return {{"strength", Described("number",
                                 "How much of the picture is painted anew, 0 "
                                 "to 1.")},
          {"source_prompt",
           Described("string",
                     "What the picture shows: keeps its composition where the "
                     "prompt says the same in other words (DDIM inversion).")},
          {"resize_mode", ResizeModeSchema()}};
}

json MaskSchemas() {
  return {
      {"mask_blur",
       Described("integer", "Softens the mask's edge, in pixels.")},
      {"mask_fill",
       {{"type", "string"},
        {"enum", {"default", "original", "noise", "blur", "nothing"}}}},
      {"only_masked",
       Described("boolean", "Paint the masked region alone, at full size.")},
      {"mask_padding", Described("integer", "Pixels painted around that.")},
      {"invert_mask", Described("boolean", "Paint what the mask leaves out.")},
      {"mask_is_transparency",
       Described("boolean", "What is transparent in the mask is painted.")},
      {"inversion",
       Described("object",
                 "Begin at the picture's own noise: fields of Inversion.")},
      {"extend",
       {{"description",
         "Pixels to paint around the picture: left, "
         "top, right and bottom."}}}};
}

}  // namespace genzo
