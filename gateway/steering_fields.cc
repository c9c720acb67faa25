#include "gateway/steering_fields.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/model_fields.h"
#include "gateway/start_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

using Control = v1::ControlInput;

constexpr double kMaxWeight = 2;
constexpr int kMaxThreshold = 2000;

void ReadPicture(FieldReader& reader, const std::string& name, const json& text,
                 v1::InputPicture& picture) {
  picture.set_data(
      PictureIn(reader, name,
                text.is_string() ? text.get_ref<const std::string&>() : ""));
}

std::string ReadName(FieldReader& reader) {
  const auto name = reader.Text("name");
  if (!name.has_value()) reader.Fail("name", "is missing");
  return name.value_or("");
}

void ReadControl(FieldReader& reader, v1::GenerateRequest& request) {
  const std::string& start = request.image_to_image().image();
  Control& control = *request.add_controls();
  control.set_name(ReadName(reader));
  if (const json* image = reader.Any("image")) {
    ReadPicture(reader, "image", *image, *control.mutable_picture());
  } else if (!start.empty()) {
    control.mutable_picture()->set_data(start);
  } else {
    reader.Fail("image", "is missing");
  }
  const std::string preprocessor =
      reader.Choice("preprocessor", {"none", "canny", "tile", "inpaint"});
  Control::Preprocessor chosen = Control::PREPROCESSOR_NONE;
  Control::Preprocessor_Parse(
      absl::StrCat("PREPROCESSOR_", absl::AsciiStrToUpper(preprocessor)),
      &chosen);
  control.set_preprocessor(chosen);
  control.set_resize_mode(ReadResizeMode(reader));
  if (const auto weight = reader.Number("weight", 0, kMaxWeight)) {
    control.set_weight(*weight);
  }
  if (const auto begin = reader.Number("start", 0, 1))
    control.set_start(*begin);
  if (const auto end = reader.Number("end", 0, 1)) control.set_end(*end);
  control.set_guess_mode(reader.Truth("guess_mode").value_or(false));
  if (const auto low = reader.Whole("canny_low", 0, kMaxThreshold)) {
    control.set_canny_low(static_cast<uint32_t>(*low));
  }
  if (const auto high = reader.Whole("canny_high", 0, kMaxThreshold)) {
    control.set_canny_high(static_cast<uint32_t>(*high));
  }
}

void ReadImagePrompt(FieldReader& reader, v1::GenerateRequest& request) {
  v1::ImagePrompt& prompt = *request.add_image_prompts();
  prompt.set_name(ReadName(reader));
  if (const json* image = reader.Any("image")) {
    ReadPicture(reader, "image", *image, *prompt.add_pictures());
  }
  const json* images = reader.List("images");
  if (images != nullptr && reader.HasRoomFor("images", *images)) {
    for (size_t i = 0; i < images->size(); ++i) {
      ReadPicture(reader, EntryOf("images", i), (*images)[i],
                  *prompt.add_pictures());
    }
  }
  if (prompt.pictures().empty()) reader.Fail("image", "is missing");
  if (const auto weight = reader.Number("weight", 0, kMaxWeight)) {
    prompt.set_weight(*weight);
  }
}

// Calls read(fields of an entry, request) for each of a list.
template <typename Read>
void ReadList(FieldReader& reader, const std::string& name,
              v1::GenerateRequest& request, const Read& read) {
  const auto list = Structured(reader, name);
  if (!list.has_value()) return;
  if (!list->is_array()) return reader.Fail(name, "is not a list");
  if (!reader.HasRoomFor(name, *list)) return;
  for (size_t i = 0; i < list->size(); ++i) {
    const json& entry = (*list)[i];
    const std::string place = EntryOf(name, i);
    if (!reader.IsObject(place, entry)) continue;
    FieldReader fields(reader, entry, place);
    read(fields, request);
    fields.RefuseTheRest();
    reader.Add(fields);
  }
}

json ListOf(const json& properties, const json& required,
            const std::string& description) {
  return {{"type", "array"},
          {"items",
           {{"type", "object"},
            {"properties", properties},
            {"required", required}}},
          {"description", description}};
}

}  // namespace

void ReadSteeringFields(FieldReader& reader, v1::GenerateRequest& request) {
  ReadList(reader, "controls", request, ReadControl);
  ReadList(reader, "image_prompts", request, ReadImagePrompt);
  v1::GuidanceOptions guidance;
  if (ReadMessage(reader, "guidance", guidance)) {
    *request.mutable_guidance() = guidance;
  }
  v1::Variation variation;
  if (ReadMessage(reader, "variation", variation)) {
    *request.mutable_variation() = variation;
  }
  v1::HiresPass hires;
  if (ReadMessage(reader, "hires", hires)) *request.mutable_hires() = hires;
  if (const auto upscaler = reader.Text("upscaler")) {
    request.mutable_output()->set_upscaler(*upscaler);
  }
  if (reader.Choice("prompt_syntax", {"plain", "weighted"}) == "weighted") {
    request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  }
  if (reader.Truth("keep_latents").value_or(false)) {
    request.set_keep_latents(true);
  }
  const std::string token = reader.Text("start_latents").value_or("");
  if (token.empty()) return;
  request.set_start_latents(token);
  // Who starts from a picture reads its strength by the door's own name for it.
  if (request.has_image_to_image()) return;
  v1::ImageToImage& from = *request.mutable_image_to_image();
  if (const auto strength = reader.Number("strength", 0, 1)) {
    from.set_strength(*strength);
  }
}

json SteeringSchemas() {
  const json picture = Described("string", "A picture in base64.");
  json control = {
      {"name", Described("string", "One of the model's controlnets.")},
      {"image", picture},
      {"preprocessor",
       {{"type", "string"}, {"enum", {"none", "canny", "tile", "inpaint"}}}},
      {"resize_mode", ResizeModeSchema()},
      {"weight", Described("number", "0 to 2.")},
      {"start", Described("number", "Share of the steps before it begins.")},
      {"end", Described("number", "Share of the steps after which it ends.")},
      {"guess_mode", {{"type", "boolean"}}},
      {"canny_low", {{"type", "integer"}}},
      {"canny_high", {{"type", "integer"}}}};
  const json prompt = {
      {"name", Described("string", "One of the model's ip_adapters.")},
      {"image", picture},
      {"images", {{"type", "array"}, {"items", picture}}},
      {"weight", Described("number", "0 to 2.")}};
  return {
      {"controls",
       ListOf(control, {"name"},
              "Pictures whose composition is followed (ControlNet).")},
      {"image_prompts",
       ListOf(prompt, {"name"}, "Pictures read as a prompt is (IP-Adapter).")},
      {"guidance", Described("object", "Fields of GuidanceOptions.")},
      {"variation",
       Described("object", "Fields of Variation: seed, strength.")},
      {"hires",
       Described("object", "A second, larger pass: fields of HiresPass.")},
      {"upscaler", Described("string", "What enlarges the finished picture.")},
      {"prompt_syntax",
       {{"type", "string"},
        {"enum", {"plain", "weighted"}},
        {"description", "weighted reads (word:1.3) and [word]."}}},
      {"keep_latents",
       Described("boolean", "Keep latents: each image names its own.")},
      {"start_latents", Described("string", "Such a name, to start from.")},
      {"strength",
       Described("number",
                 "How much of what is started from is painted anew, 0 to "
                 "1.")}};
}

}  // namespace genzo
