#include "gateway/mcp_arguments.h"

#include "absl/strings/str_cat.h"
#include "gateway/field_names.h"
#include "gateway/json_body.h"
#include "gateway/loras.h"
#include "gateway/model_fields.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"
#include "gateway/proto_schemas.h"
#include "gateway/start_fields.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr int kMostPictures = 10;

// What edit_image takes besides.
void ReadEdited(FieldReader& reader, v1::GenerateRequest& request) {
  auto& from = *request.mutable_image_to_image();
  from.set_image(PictureIn(reader, "image", reader.Text("image").value_or("")));
  ReadStartFields(reader, from);
  if (const auto text = reader.Text("mask")) {
    request.mutable_inpainting()->mutable_mask()->set_data(
        PictureIn(reader, "mask", *text));
  }
  ReadMaskFields(reader, request);
}

}  // namespace

absl::StatusOr<v1::UpscaleRequest> ReadMcpUpscale(const json& arguments) {
  FieldReader reader(arguments);
  v1::UpscaleRequest request;
  request.mutable_picture()->set_data(
      PictureIn(reader, "image", reader.Text("image").value_or("")));
  ReadUpscaler(reader, request);
  ReadFileFormat(reader, *request.mutable_output());
  reader.RefuseTheRest();
  if (!reader.status().ok()) return reader.status();
  return request;
}

absl::StatusOr<v1::ScoreRequest> ReadMcpScore(const json& arguments,
                                              const ModelNames& names) {
  FieldReader reader(arguments);
  v1::ScoreRequest request;
  if (reader.Any("images") == nullptr) reader.Fail("images", "is missing");
  const json* images = reader.List("images");
  if (images != nullptr && reader.HasRoomFor("images", *images)) {
    for (size_t i = 0; i < images->size(); ++i) {
      const json& image = (*images)[i];
      request.add_pictures()->set_data(PictureIn(
          reader, EntryOf("images", i),
          image.is_string() ? image.get_ref<const std::string&>() : ""));
    }
  }
  request.set_prompt(reader.Text("prompt").value_or(""));
  request.set_scorer(reader.Text("scorer").value_or(""));
  request.set_model(names.Resolve(reader.Text("model").value_or("")));
  reader.RefuseTheRest();
  if (!reader.status().ok()) return reader.status();
  return request;
}

absl::StatusOr<v1::GenerateRequest> ReadMcpPaint(const json& arguments,
                                                 bool is_edit,
                                                 const ModelNames& names) {
  FieldReader reader(arguments);
  v1::GenerateRequest request;
  // First: controls may follow it.
  if (is_edit) ReadEdited(reader, request);
  ReadCommonFields(reader, names, request);
  if (reader.Any("prompt") == nullptr) reader.Fail("prompt", "is missing");
  if (const auto n = reader.Whole("n", 1, kMostPictures)) {
    request.set_image_count(*n);
  }
  if (const auto width = reader.Whole("width", 1, kMaxCount)) {
    request.set_width(*width);
  }
  if (const auto height = reader.Whole("height", 1, kMaxCount)) {
    request.set_height(*height);
  }
  ReadFileFormat(reader, *request.mutable_output());
  reader.RefuseTheRest(McpNames());
  if (!reader.status().ok()) return reader.status();
  return request;
}

absl::StatusOr<std::string> ReadMcpJob(const json& arguments) {
  FieldReader reader(arguments);
  const auto id = reader.Text("id");
  if (reader.Any("id") == nullptr) reader.Fail("id", "is missing");
  reader.RefuseTheRest();
  if (!reader.status().ok()) return reader.status();
  return *id;
}

absl::Status ReadMcpNothing(const json& arguments) {
  FieldReader reader(arguments);
  reader.RefuseTheRest();
  return reader.status();
}

json McpPaintArguments() {
  json paint = {
      {"prompt", Described("string", "What to paint.")},
      {"negative_prompt", Described("string", "What to stay away from.")},
      {"model", Described("string", "An id of list_models.")},
      {"width", Described("integer", "In pixels, a multiple of 8.")},
      {"height", Described("integer", "In pixels, a multiple of 8.")},
      {"n", Described("integer", absl::StrCat("How many pictures, 1 to ",
                                              kMostPictures, "."))},
      {"seed", Described("integer", "The same seed gives the same picture.")},
      {"num_inference_steps", Described("integer", "Steps of the sampler.")},
      {"guidance_scale",
       Described("number", "How closely to follow, 1 to 20.")},
      {"guidance_rescale",
       Described("number", "Takes out the glare of much guidance, 0 to 1.")},
      {"sampler", Described("string", "One of the model's samplers.")},
      {"scheduler", Described("string", "One of that sampler's schedules.")},
      {"eta", Described("number", "The share of noise in DDIM, 0 to 1.")},
      {"clip_skip", Described("integer", "Layers of CLIP that are left out.")},
      {"loras", LorasSchema()}};
  paint.update(FileFormatSchemas());
  paint.update(PictureFieldSchemas());
  paint.update(SteeringSchemas());
  paint.update(ModelFieldSchemas());
  OpenObjects(*v1::GenerateRequest::descriptor(), paint);
  return paint;
}

json McpEditArguments() {
  json edit = McpPaintArguments();
  edit.update(StartSchemas());
  edit.update(MaskSchemas());
  OpenObjects(*v1::ImageToImage::descriptor(), edit);
  edit["image"] = Described("string", "The picture to start from, in base64.");
  edit["mask"] = Described(
      "string", "A picture of its size, in base64: only white is painted.");
  return edit;
}

json McpUpscaleArguments() {
  json upscale = {
      {"image", Described("string", "The picture to enlarge, in base64.")},
      {"upscaler", Described("string",
                             "One of list_models' upscalers; the server's "
                             "first if none.")},
      {"factor", Described("number", "How many times as wide and as high.")}};
  upscale.update(FileFormatSchemas());
  return upscale;
}

json McpScoreArguments() {
  return {{"images",
           {{"type", "array"},
            {"items", {{"type", "string"}}},
            {"minItems", 1},
            {"maxItems", kMaxListEntries},
            {"description", "Pictures in base64."}}},
          {"prompt", Described("string", "What they are to show.")},
          {"scorer", Described("string", "One of list_models' scorers.")},
          {"model", Described("string", "A model with a scorer of its own.")}};
}

json McpJobArguments() {
  return {{"id", Described("string", "The job's id.")}};
}

}  // namespace genzo
