#include "gateway/mcp_tools.h"

#include "absl/strings/str_cat.h"
#include "gateway/model_fields.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr double kMostFactor = 16;
constexpr int kMostPictures = 10;

// The bytes of a picture in base64, or nothing and a fault.
std::string PictureIn(FieldReader& reader, const std::string& name,
                      const std::string& text) {
  auto picture = DecodePicture(text);
  if (picture.has_value() && !picture->empty()) return *std::move(picture);
  reader.Fail(name, "is not a picture in base64");
  return "";
}

// What edit_image takes besides.
void ReadEdited(FieldReader& reader, v1::GenerateRequest& request) {
  auto& from = *request.mutable_image_to_image();
  from.set_image(PictureIn(reader, "image", reader.Text("image").value_or("")));
  if (const auto strength = reader.Number("strength", 0, 1)) {
    from.set_strength(*strength);
  }
  ReadSourcePrompt(reader, from);
  if (const auto text = reader.Text("mask")) {
    request.mutable_inpainting()->mutable_mask()->set_data(
        PictureIn(reader, "mask", *text));
  }
  ReadMaskFields(reader, request);
}

json Tool(const std::string& name, const std::string& description,
          json properties, json required) {
  return {{"name", name},
          {"description", description},
          {"inputSchema",
           {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(required)}}}};
}

json Argument(const std::string& type, const std::string& description) {
  return {{"type", type}, {"description", description}};
}

}  // namespace

const NameList& McpNames() {
  static const auto* const names = [] {
    auto* list = new NameList(kCommonNames);
    // Tools have width and height, as the service has.
    std::erase_if(*list, [](const auto& name) {
      return name.first == "width" || name.first == "height";
    });
    list->insert(list->end(), {{"picture", "image"},
                               {"picture.data", "image"},
                               {"pictures", "images"},
                               {"pictures[].data", "images[]"}});
    return list;
  }();
  return *names;
}

absl::StatusOr<v1::UpscaleRequest> ReadMcpUpscale(const json& arguments) {
  FieldReader reader(arguments);
  v1::UpscaleRequest request;
  request.mutable_picture()->set_data(
      PictureIn(reader, "image", reader.Text("image").value_or("")));
  request.set_upscaler(reader.Text("upscaler").value_or(""));
  if (const auto factor = reader.Number("factor", 0, kMostFactor)) {
    request.set_factor(*factor);
  }
  reader.RefuseTheRest();
  if (!reader.status().ok()) return reader.status();
  return request;
}

absl::StatusOr<v1::ScoreRequest> ReadMcpScore(const json& arguments,
                                              const ModelNames& names) {
  FieldReader reader(arguments);
  v1::ScoreRequest request;
  const json* images = reader.Any("images");
  if (images == nullptr || !images->is_array()) {
    reader.Fail("images", "is not a list of pictures in base64");
  } else {
    for (const json& image : *images) {
      const std::string text =
          image.is_string() ? image.get<std::string>() : "";
      request.add_pictures()->set_data(PictureIn(reader, "images", text));
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
  if (const auto width = reader.Whole("width", 1, UINT32_MAX)) {
    request.set_width(*width);
  }
  if (const auto height = reader.Whole("height", 1, UINT32_MAX)) {
    request.set_height(*height);
  }
  reader.RefuseTheRest();
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

json McpTools() {
  json paint = {
      {"prompt", Argument("string", "What to paint.")},
      {"negative_prompt", Argument("string", "What to stay away from.")},
      {"model", Argument("string", "An id of list_models.")},
      {"width", Argument("integer", "In pixels, a multiple of 8.")},
      {"height", Argument("integer", "In pixels, a multiple of 8.")},
      {"n", Argument("integer", absl::StrCat("How many pictures, 1 to ",
                                             kMostPictures, "."))},
      {"seed", Argument("integer", "The same seed gives the same picture.")},
      {"num_inference_steps", Argument("integer", "Steps of the sampler.")},
      {"guidance_scale", Argument("number", "How closely to follow, 1 to 20.")},
      {"sampler", Argument("string", "One of the model's samplers.")},
      {"loras",
       {{"type", "array"},
        {"items", {{"type", "string"}}},
        {"description", "Adapters of the server, \"NAME:WEIGHT\"."}}},
      {"best_of", Argument("integer", "Paint so many, and give the best n.")}};
  paint.update(SteeringSchemas());
  paint.update(ModelFieldSchemas());
  json edit = paint;
  edit.update(MaskSchemas());
  edit["image"] = Argument("string", "The picture to start from, in base64.");
  edit["strength"] =
      Argument("number", "How much of it is painted anew, 0 to 1.");
  edit["source_prompt"] =
      Argument("string",
               "What the picture shows: keeps its composition where the prompt "
               "says the same in other words (DDIM inversion).");
  edit["mask"] = Argument(
      "string", "A picture of its size, in base64: only white is painted.");
  const json upscale = {
      {"image", Argument("string", "The picture to enlarge, in base64.")},
      {"upscaler", Argument("string", "Its name; the server's first if none.")},
      {"factor", Argument("number", "How many times as wide and as high.")}};
  const json score = {
      {"images",
       {{"type", "array"},
        {"items", {{"type", "string"}}},
        {"description", "Pictures in base64, 1 to 64."}}},
      {"prompt", Argument("string", "What they are to show.")},
      {"scorer", Argument("string", "One of the server's scorers.")},
      {"model", Argument("string", "A model with a scorer of its own.")}};
  return json::array(
      {Tool("generate_image", "Paints pictures from a prompt.", paint,
            {"prompt"}),
       Tool("edit_image", "Paints a picture anew, guided by a prompt.", edit,
            {"prompt", "image"}),
       Tool("upscale_image", "Enlarges a picture.", upscale, {"image"}),
       Tool("score_images",
            "Scores pictures: how well they show a prompt, or how much people "
            "like them.",
            score, {"images"}),
       Tool("get_job", "Tells of a job, with its pictures if it has ended.",
            {{"id", Argument("string", "The job's id.")}}, {"id"}),
       Tool("list_models", "Lists the models, their sizes and samplers.",
            json::object(), json::array())});
}

}  // namespace genzo
