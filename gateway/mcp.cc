#include "gateway/mcp.h"

#include <set>

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/model_fields.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"
#include "gateway/proto_json.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

// The newest first.
constexpr const char* kVersions[] = {"2025-11-25", "2025-06-18", "2025-03-26"};
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr double kMostFactor = 16;

json Result(const json& id, const json& result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", result}};
}

json Error(const json& id, int code, const std::string& message) {
  return {{"jsonrpc", "2.0"},
          {"id", id},
          {"error", {{"code", code}, {"message", message}}}};
}

json TextContent(const std::string& text) {
  return {{"type", "text"}, {"text", text}};
}

// What a model reads when its call went wrong.
json ToolError(const absl::Status& status) {
  return {{"content", {TextContent(std::string(status.message()))}},
          {"isError", true}};
}

json PaintingContent(const Painting& painting) {
  json content = json::array();
  json pictures = json::array();
  for (const auto& [index, image] : painting.images) {
    const v1::Picture& picture = image.picture();
    content.push_back({{"type", "image"},
                       {"data", absl::Base64Escape(picture.data())},
                       {"mimeType", picture.media_type()}});
    json told = FactsOf(image);
    told["width"] = picture.width();
    told["height"] = picture.height();
    pictures.push_back(std::move(told));
  }
  json account = {{"job_id", painting.job_id}, {"images", pictures}};
  if (painting.withheld > 0) account["withheld"] = painting.withheld;
  content.push_back(TextContent(Dump(account)));
  return {{"content", content}, {"isError", false}};
}

json Initialized(const json& parameters) {
  std::string version = kVersions[0];
  const json wanted = parameters.value("protocolVersion", json());
  for (const char* known : kVersions) {
    if (wanted == known) version = known;
  }
  return {{"protocolVersion", version},
          {"capabilities", {{"tools", json::object()}}},
          {"serverInfo", {{"name", "genzo"}, {"version", "0.1.0"}}},
          {"instructions",
           "Paints pictures from prompts. list_models tells what there is."}};
}

// Where the answer to one call of a tool goes: one JSON message, or a stream
// with progress before it.
class ToolAnswer {
 public:
  ToolAnswer(json id, json progress_token, HttpExchangeRef exchange)
      : id_(std::move(id)),
        token_(std::move(progress_token)),
        exchange_(std::move(exchange)) {}

  void Progress(const v1::JobEvent& event) {
    if (token_.is_null()) return;
    if (event.has_started()) {
      total_ = static_cast<uint64_t>(event.started().resolved().steps()) *
               std::max(1u, event.started().resolved().image_count());
    }
    if (!event.has_progress()) return;
    steps_[event.progress().image_index()] = event.progress().step();
    uint64_t done = 0;
    for (const auto& [image, step] : steps_) done += step;
    if (done <= done_) return;  // it must grow
    done_ = done;
    Write({{"jsonrpc", "2.0"},
           {"method", "notifications/progress"},
           {"params",
            {{"progressToken", token_},
             {"progress", done},
             {"total", total_},
             {"message", absl::StrCat("step ", done, " of ", total_)}}}});
  }

  void Finish(const json& result) {
    const json message = Result(id_, result);
    if (!has_begun_) return exchange_->Send({.body = Dump(message)});
    Write(message);
    exchange_->End();
  }

  HttpExchange& exchange() { return *exchange_; }

 private:
  void Write(const json& message) {
    if (!std::exchange(has_begun_, true)) exchange_->Begin(EventStreamHead());
    exchange_->Write(ServerSentEvent("message", 0, Dump(message)), nullptr);
  }

  const json id_;
  const json token_;  // null: no progress is wanted
  const HttpExchangeRef exchange_;
  bool has_begun_ = false;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  std::map<uint32_t, uint32_t> steps_;
};
using ToolAnswerRef = std::shared_ptr<ToolAnswer>;

std::function<void(absl::StatusOr<Painting>)> Finishing(ToolAnswerRef answer) {
  return [answer = std::move(answer)](absl::StatusOr<Painting> painting) {
    answer->Finish(painting.ok()
                       ? PaintingContent(*painting)
                       : ToolError(Renamed(painting.status(), kCommonNames)));
  };
}

EventEar Telling(ToolAnswerRef answer) {
  return [answer = std::move(answer)](const v1::JobEvent& event) {
    answer->Progress(event);
  };
}

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

// A job as text, and its pictures if it has some.
void TellJob(Backend& backend, const CallerKeys& keys, const std::string& id,
             const ToolAnswerRef& answer) {
  backend.GetJob(
      keys, id, [&backend, keys, answer](absl::StatusOr<v1::Job> job) {
        if (!job.ok()) return answer->Finish(ToolError(job.status()));
        if (job->state() != v1::JOB_STATE_SUCCEEDED) {
          return answer->Finish(
              {{"content", {TextContent(ToJson(*job))}}, {"isError", false}});
        }
        v1::WatchJobRequest watch;
        watch.set_id(job->id());
        const auto done = [answer, told = ToJson(*job)](
                              absl::StatusOr<Painting> painting) {
          // What is known of it, where its pictures are gone.
          answer->Finish(painting.ok() ? PaintingContent(*painting)
                                       : json{{"content", {TextContent(told)}},
                                              {"isError", false}});
        };
        answer->exchange().OnGone(
            backend.Watch(keys, watch, Collecting(/*ear=*/nullptr, done)));
      });
}

void TellModels(Backend& backend, const CallerKeys& keys,
                const ToolAnswerRef& answer) {
  backend.ListModels(
      keys, [answer](absl::StatusOr<v1::ListModelsResponse> list) {
        if (!list.ok()) return answer->Finish(ToolError(list.status()));
        answer->Finish(
            {{"content", {TextContent(ToJson(*list))}}, {"isError", false}});
      });
}

void TellScores(Backend& backend, const CallerKeys& keys,
                const v1::ScoreRequest& request, const ToolAnswerRef& answer) {
  backend.Score(keys, request,
                [answer](absl::StatusOr<v1::ScoreResponse> response) {
                  if (!response.ok()) {
                    return answer->Finish(ToolError(response.status()));
                  }
                  answer->Finish({{"content", {TextContent(ToJson(*response))}},
                                  {"isError", false}});
                });
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
  if (const auto n = reader.Whole("n", 1, 10)) request.set_image_count(*n);
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

json McpTools() {
  json paint = {
      {"prompt", Argument("string", "What to paint.")},
      {"negative_prompt", Argument("string", "What to stay away from.")},
      {"model", Argument("string", "An id of list_models.")},
      {"width", Argument("integer", "In pixels, a multiple of 8.")},
      {"height", Argument("integer", "In pixels, a multiple of 8.")},
      {"n", Argument("integer", "How many pictures, 1 to 8.")},
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

std::vector<Route> Mcp::routes() {
  return {{"POST",
           "/mcp",
           {"application/json"},
           [this](HttpRequest request, HttpExchangeRef exchange) {
             Handle(request, exchange);
           }}};
}

void Mcp::Handle(const HttpRequest& request, const HttpExchangeRef& exchange) {
  const auto send = [&](int status, const json& body) {
    exchange->Send({.status = status, .body = Dump(body)});
  };
  const auto message = ParseJsonObject(request.body);
  if (!message.ok()) {
    return send(400, Error(nullptr, kInvalidRequest,
                           std::string(message.status().message())));
  }
  const json id = message->value("id", json());
  const json method = message->value("method", json());
  if (message->value("jsonrpc", json()) != "2.0" || !method.is_string() ||
      !(id.is_null() || id.is_string() || id.is_number_integer())) {
    return send(400, Error(nullptr, kInvalidRequest,
                           "the body is not a JSON-RPC 2.0 request"));
  }
  // Notifications have no id, and no answer.
  if (!message->contains("id")) {
    return exchange->Send({.status = 202, .content_type = ""});
  }
  const json parameters = message->value("params", json::object());
  if (!parameters.is_object()) {
    return send(200, Error(id, kInvalidParams, "params is not an object"));
  }
  if (method == "initialize")
    return send(200, Result(id, Initialized(parameters)));
  if (method == "ping") return send(200, Result(id, json::object()));
  if (method == "tools/list") {
    return send(200, Result(id, {{"tools", McpTools()}}));
  }
  if (method == "tools/call") return CallTool(*message, request, exchange);
  send(200,
       Error(id, kMethodNotFound,
             absl::StrCat("method ", ShownValue(method), " is not known")));
}

void Mcp::CallTool(const json& message, const HttpRequest& request,
                   const HttpExchangeRef& exchange) {
  const json parameters = message.value("params", json::object());
  const json name = parameters.value("name", json());
  const json arguments = parameters.value("arguments", json::object());
  const json meta = parameters.value("_meta", json::object());
  json token;
  if (meta.is_object() &&
      absl::StrContains(request.Header("accept"), "text/event-stream")) {
    token = meta.value("progressToken", json());
  }
  if (!arguments.is_object()) {
    return exchange->Send({.body = Dump(Error(message["id"], kInvalidParams,
                                              "arguments is not an object"))});
  }
  const auto answer =
      std::make_shared<ToolAnswer>(message["id"], token, exchange);
  const CallerKeys keys = KeysOf(request);
  if (name == "generate_image" || name == "edit_image") {
    auto paint = ReadMcpPaint(arguments, name == "edit_image", names_);
    if (!paint.ok()) return answer->Finish(ToolError(paint.status()));
    // Of jobs with an id the pictures are kept: get_job has them.
    absl::BitGen random;
    paint->set_request_id(RequestIdOf(absl::StrCat(
        absl::Uniform<uint64_t>(random), absl::Uniform<uint64_t>(random))));
    return Paint(backend_, keys, *paint, *exchange, Telling(answer),
                 Finishing(answer));
  }
  if (name == "upscale_image") {
    const auto upscale = ReadMcpUpscale(arguments);
    if (!upscale.ok()) return answer->Finish(ToolError(upscale.status()));
    return exchange->OnGone(backend_.Upscale(
        keys, *upscale, Collecting(/*ear=*/nullptr, Finishing(answer))));
  }
  if (name == "score_images") {
    const auto score = ReadMcpScore(arguments, names_);
    if (!score.ok()) return answer->Finish(ToolError(score.status()));
    return TellScores(backend_, keys, *score, answer);
  }
  if (name == "list_models") return TellModels(backend_, keys, answer);
  if (name == "get_job") {
    FieldReader reader(arguments);
    const auto id = reader.Text("id");
    if (!id.has_value()) reader.Fail("id", "is missing");
    if (!reader.status().ok())
      return answer->Finish(ToolError(reader.status()));
    return TellJob(backend_, keys, *id, answer);
  }
  exchange->Send({.body = Dump(Error(message["id"], kInvalidParams,
                                     absl::StrCat("tool ", ShownValue(name),
                                                  " is not known")))});
}

}  // namespace genzo
