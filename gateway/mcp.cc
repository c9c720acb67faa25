#include "gateway/mcp.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/version.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/mcp_tools.h"
#include "gateway/painting.h"
#include "gateway/picture_store.h"
#include "gateway/proto_json.h"

namespace genzo {

using nlohmann::json;

namespace {

// The newest first. Those before have batches of messages.
constexpr const char* kVersions[] = {"2025-11-25", "2025-06-18"};
constexpr int kSessionBytes = 16;
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;

// What `object` has by that name, else `fallback`; neither is copied, for
// arguments hold pictures.
const json& ValueOr(const json& object, const char* name,
                    const json& fallback) {
  const auto found = object.find(name);
  return found == object.end() ? fallback : *found;
}

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

json TextResult(const std::string& text) {
  return {{"content", {TextContent(text)}}, {"isError", false}};
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
          {"serverInfo", {{"name", "genzo"}, {"version", Version()}}},
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

  // `event` of the job that the call began.
  void Progress(const v1::JobEvent& event) {
    if (token_.is_null()) return;
    if (!std::exchange(is_named_, true)) {
      // Whoever is cut off finds it again with get_job.
      WriteProgress(0, absl::StrCat("job ", event.job_id()));
    }
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
    WriteProgress(done, absl::StrCat("step ", done, " of ", total_));
  }

  void Finish(const json& result) {
    const json message = Result(id_, result);
    if (!has_begun_) return exchange_->Send({.body = Dump(message)});
    Write(message);
    exchange_->End();
  }

  // What went wrong is for the model to read, but for keys, which are the
  // client's.
  void Fail(const absl::Status& status) {
    if (has_begun_ || !absl::IsUnauthenticated(status)) {
      return Finish(ToolError(Renamed(status, McpNames())));
    }
    exchange_->Send(ErrorResponse(DoorKind::kMcp, status));
  }

  HttpExchange& exchange() { return *exchange_; }

 private:
  void WriteProgress(uint64_t done, const std::string& message) {
    json parameters = {
        {"progressToken", token_}, {"progress", done}, {"message", message}};
    if (total_ > 0) parameters["total"] = total_;
    Write({{"jsonrpc", "2.0"},
           {"method", "notifications/progress"},
           {"params", std::move(parameters)}});
  }

  void Write(const json& message) {
    if (!std::exchange(has_begun_, true)) exchange_->Begin(EventStreamHead());
    exchange_->Write(ServerSentEvent("message", 0, Dump(message)), nullptr);
  }

  const json id_;
  const json token_;  // null: no progress is wanted
  const HttpExchangeRef exchange_;
  bool has_begun_ = false;
  bool is_named_ = false;  // the job has been told
  uint64_t total_ = 0;
  uint64_t done_ = 0;
  std::map<uint32_t, uint32_t> steps_;
};

using ToolAnswerRef = std::shared_ptr<ToolAnswer>;

std::function<void(absl::StatusOr<Painting>)> Finishing(ToolAnswerRef answer) {
  return [answer = std::move(answer)](absl::StatusOr<Painting> painting) {
    if (!painting.ok()) return answer->Fail(painting.status());
    answer->Finish(PaintingContent(*painting));
  };
}

// The version that the client says it speaks is one of ours, or it says none.
bool IsKnownVersion(const HttpRequest& request) {
  const std::string version = request.Header("mcp-protocol-version");
  return version.empty() ||
         std::find(std::begin(kVersions), std::end(kVersions), version) !=
             std::end(kVersions);
}

// A call of one tool and what it needs.
struct ToolCall {
  Backend& backend;
  const ModelNames& names;
  McpCalls& calls;
  const json& arguments;
  CallerKeys keys;
  McpCalls::Key key;  // by which it is cancelled
  ToolAnswerRef answer;
};

void PaintJob(const ToolCall& call, bool is_edit) {
  auto request = ReadMcpPaint(call.arguments, is_edit, call.names);
  if (!request.ok()) return call.answer->Fail(request.status());
  // A connection that ends cancels nothing: get_job has the pictures, which are
  // kept of jobs with an id.
  request->set_request_id(RequestIdOf(RandomHex(kSessionBytes)));
  request->set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  const auto on_event = [&backend = call.backend, keys = call.keys,
                         answer = call.answer,
                         live = call.calls.Begin(call.key),
                         is_known = false](const v1::JobEvent& event) mutable {
    if (!std::exchange(is_known, true)) {
      live->SetCancel([&backend, keys, id = event.job_id()] {
        backend.CancelJob(keys, id, [](const absl::StatusOr<v1::Job>&) {});
      });
    }
    answer->Progress(event);
  };
  Paint(call.backend, call.keys, *request, call.answer->exchange(), on_event,
        Finishing(call.answer));
}

void GenerateImage(const ToolCall& call) { PaintJob(call, /*is_edit=*/false); }
void EditImage(const ToolCall& call) { PaintJob(call, /*is_edit=*/true); }

void UpscaleImage(const ToolCall& call) {
  const auto request = ReadMcpUpscale(call.arguments);
  if (!request.ok()) return call.answer->Fail(request.status());
  const auto live = call.calls.Begin(call.key);
  const CancelStream cancel = call.backend.Upscale(
      call.keys, *request,
      Collecting([live](const v1::JobEvent&) {}, Finishing(call.answer)));
  live->SetCancel(cancel);
  call.answer->exchange().OnGone(cancel);
}

void ScoreImages(const ToolCall& call) {
  const auto request = ReadMcpScore(call.arguments, call.names);
  if (!request.ok()) return call.answer->Fail(request.status());
  call.backend.Score(
      call.keys, *request,
      [answer = call.answer](absl::StatusOr<v1::ScoreResponse> response) {
        if (!response.ok()) return answer->Fail(response.status());
        answer->Finish(TextResult(ToJson(*response)));
      });
}

// A job as text, and its pictures if it has some.
void GetJob(const ToolCall& call) {
  const auto id = ReadMcpJob(call.arguments);
  if (!id.ok()) return call.answer->Fail(id.status());
  call.backend.GetJob(
      call.keys, *id,
      [&backend = call.backend, keys = call.keys,
       answer = call.answer](absl::StatusOr<v1::Job> job) {
        if (!job.ok()) return answer->Fail(job.status());
        if (job->state() != v1::JOB_STATE_SUCCEEDED) {
          return answer->Finish(TextResult(ToJson(*job)));
        }
        v1::WatchJobRequest watch;
        watch.set_id(job->id());
        const auto done =
            [answer, told = ToJson(*job)](absl::StatusOr<Painting> painting) {
              // What is known of it, where its pictures are gone.
              answer->Finish(painting.ok() ? PaintingContent(*painting)
                                           : TextResult(told));
            };
        answer->exchange().OnGone(
            backend.Watch(keys, watch, Collecting(/*ear=*/nullptr, done)));
      });
}

void ListModels(const ToolCall& call) {
  const absl::Status read = ReadMcpNothing(call.arguments);
  if (!read.ok()) return call.answer->Fail(read);
  call.backend.ListModels(
      call.keys,
      [answer = call.answer](absl::StatusOr<v1::ListModelsResponse> list) {
        if (!list.ok()) return answer->Fail(list.status());
        answer->Finish(TextResult(ToJson(*list)));
      });
}

constexpr struct {
  const char* name;
  void (*run)(const ToolCall& call);
} kTools[] = {{"generate_image", GenerateImage},
              {"edit_image", EditImage},
              {"upscale_image", UpscaleImage},
              {"score_images", ScoreImages},
              {"get_job", GetJob},
              {"list_models", ListModels}};

}  // namespace

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
  if (!IsKnownVersion(request)) {
    return send(400, Error(nullptr, kInvalidRequest,
                           absl::StrCat("mcp-protocol-version ",
                                        request.Header("mcp-protocol-version"),
                                        " is not one of ",
                                        absl::StrJoin(kVersions, ", "))));
  }
  const auto message = ParseJsonObject(request.body);
  if (!message.ok()) {
    const int code = json::accept(request.body) ? kInvalidRequest : kParseError;
    return send(400,
                Error(nullptr, code, std::string(message.status().message())));
  }
  const json id = message->value("id", json());
  const json method = message->value("method", json());
  if (message->value("jsonrpc", json()) != "2.0" || !method.is_string() ||
      !(id.is_null() || id.is_string() || id.is_number_integer())) {
    return send(400, Error(nullptr, kInvalidRequest,
                           "the body is not a JSON-RPC 2.0 request"));
  }
  const json none = json::object();
  const json& parameters = ValueOr(*message, "params", none);
  // Notifications have no id, and no answer.
  if (!message->contains("id")) {
    if (method == "notifications/cancelled" && parameters.is_object() &&
        parameters.contains("requestId")) {
      calls_.Cancel(KeyOf(request, parameters["requestId"]));
    }
    return exchange->Send({.status = 202, .content_type = ""});
  }
  if (!parameters.is_object()) {
    return send(200, Error(id, kInvalidParams, "params is not an object"));
  }
  if (method == "initialize") {
    // Nothing is kept of a session; its name tells callers without keys apart.
    return exchange->Send(
        {.body = Dump(Result(id, Initialized(parameters))),
         .headers = {{"mcp-session-id", RandomHex(kSessionBytes)}}});
  }
  if (method == "ping") return send(200, Result(id, json::object()));
  if (method == "tools/list") {
    return send(200, Result(id, {{"tools", McpTools()}}));
  }
  if (method == "tools/call") {
    return CallTool(id, parameters, request, exchange);
  }
  send(200,
       Error(id, kMethodNotFound,
             absl::StrCat("method ", ShownValue(method), " is not known")));
}

McpCalls::Key Mcp::KeyOf(const HttpRequest& request, const json& id) {
  return {.caller = KeysOf(request),
          .session = request.Header("mcp-session-id"),
          .id = Dump(id)};
}

void Mcp::CallTool(const json& id, const json& parameters,
                   const HttpRequest& request,
                   const HttpExchangeRef& exchange) {
  const auto refuse = [&](const std::string& why) {
    exchange->Send({.body = Dump(Error(id, kInvalidParams, why))});
  };
  const json none = json::object();
  const json& arguments = ValueOr(parameters, "arguments", none);
  if (!arguments.is_object()) return refuse("arguments is not an object");
  const json& meta = ValueOr(parameters, "_meta", none);
  json token;
  if (meta.is_object() &&
      absl::StrContains(request.Header("accept"), "text/event-stream")) {
    token = meta.value("progressToken", json());
  }
  const json name = parameters.value("name", json());
  for (const auto& tool : kTools) {
    if (name != tool.name) continue;
    return tool.run(
        {.backend = backend_,
         .names = names_,
         .calls = calls_,
         .arguments = arguments,
         .keys = KeysOf(request),
         .key = KeyOf(request, id),
         .answer = std::make_shared<ToolAnswer>(id, token, exchange)});
  }
  refuse(absl::StrCat("tool ", ShownValue(name), " is not known"));
}

}  // namespace genzo
