#include "gateway/mcp.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/version.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/mcp_answer.h"
#include "gateway/mcp_batch.h"
#include "gateway/mcp_tools.h"
#include "gateway/picture_store.h"

namespace genzo {

using nlohmann::json;

namespace {

// The newest first. Servers of the last must take batches of messages, which
// those after it do not have; its clients say no version in a header.
constexpr char kBatchVersion[] = "2025-03-26";
constexpr const char* kVersions[] = {"2025-11-25", "2025-06-18", kBatchVersion};
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

// Who is told that a message got no answer: null if it is no message; none if
// it is a notification.
std::optional<json> IdOf(const json& message) {
  if (!message.is_object()) return json();
  const auto id = message.find("id");
  if (id == message.end()) return std::nullopt;
  return id->is_string() || id->is_number_integer() ? *id : json();
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

// The version that the client says it speaks.
std::string VersionOf(const HttpRequest& request) {
  const std::string version = request.Header("mcp-protocol-version");
  return version.empty() ? kBatchVersion : version;
}

bool IsKnown(const std::string& version) {
  return std::find(std::begin(kVersions), std::end(kVersions), version) !=
         std::end(kVersions);
}

void SendTo(const HttpExchangeRef& exchange, int status, const json& body) {
  exchange->Send({.status = status, .body = Dump(body)});
}

void RefuseBody(const HttpExchangeRef& exchange, const std::string& why,
                int code = kInvalidRequest) {
  SendTo(exchange, 400, RpcError(nullptr, code, why));
}

}  // namespace

std::vector<Route> Mcp::routes() {
  return {{"POST",
           "/mcp",
           {"application/json"},
           [this](HttpRequest request, HttpExchangeRef exchange) {
             Handle(std::move(request), exchange);
           }}};
}

void Mcp::Handle(HttpRequest request, const HttpExchangeRef& exchange) {
  const std::string version = VersionOf(request);
  if (!IsKnown(version)) {
    return RefuseBody(exchange, absl::StrCat("mcp-protocol-version ", version,
                                             " is not one of ",
                                             absl::StrJoin(kVersions, ", ")));
  }
  const auto body = ParseJsonBody(request.body);
  if (!body.ok()) {
    const int code = json::accept(request.body) ? kInvalidRequest : kParseError;
    return RefuseBody(exchange, std::string(body.status().message()), code);
  }
  request.body.clear();  // pictures are large
  if (!body->is_array()) return HandleMessage(*body, request, exchange);
  if (version != kBatchVersion) {
    return RefuseBody(
        exchange, absl::StrCat("the body is a batch, which version ", version,
                               " does not have"));
  }
  HandleBatch(*body, std::move(request), exchange);
}

void Mcp::HandleBatch(const json& messages, HttpRequest request,
                      const HttpExchangeRef& exchange) {
  if (messages.empty() || messages.size() > kMaxListEntries) {
    return RefuseBody(
        exchange,
        absl::StrCat("the body is a batch of ", messages.size(),
                     " messages, which are not 1 to ", kMaxListEntries));
  }
  request.headers.erase("accept");  // no answer within it streams
  const auto batch = McpBatch::Begin(exchange, messages.size());
  for (size_t i = 0; i < messages.size(); ++i) {
    const json& message = messages[i];
    const HttpExchangeRef part = batch->Part(i, IdOf(message));
    if (message.is_object() &&
        message.value("method", json()) == "initialize") {
      SendTo(part, 400,
             RpcError(message.value("id", json()), kInvalidRequest,
                      "initialize is no part of a batch"));
    } else {
      HandleMessage(message, request, part);
    }
  }
}

void Mcp::HandleMessage(const json& message, const HttpRequest& request,
                        const HttpExchangeRef& exchange) {
  const auto send = [&](int status, const json& body) {
    SendTo(exchange, status, body);
  };
  if (!message.is_object()) {
    return RefuseBody(exchange, "the body is not a JSON object");
  }
  const json id = message.value("id", json());
  const json method = message.value("method", json());
  if (message.value("jsonrpc", json()) != "2.0" || !method.is_string() ||
      !(id.is_null() || id.is_string() || id.is_number_integer())) {
    return RefuseBody(exchange, "the body is not a JSON-RPC 2.0 request");
  }
  const json none = json::object();
  const json& parameters = ValueOr(message, "params", none);
  // Notifications have no id, and no answer.
  if (!message.contains("id")) {
    if (method == "notifications/cancelled" && parameters.is_object() &&
        parameters.contains("requestId")) {
      calls_.Cancel(KeyOf(request, parameters["requestId"]));
    }
    return exchange->Send({.status = 202, .content_type = ""});
  }
  if (!parameters.is_object()) {
    return send(200, RpcError(id, kInvalidParams, "params is not an object"));
  }
  if (method == "initialize") {
    // Nothing is kept of a session; its name tells callers without keys apart.
    return exchange->Send(
        {.body = Dump(RpcResult(id, Initialized(parameters))),
         .headers = {{"mcp-session-id", RandomHex(kSessionBytes)}}});
  }
  if (method == "ping") return send(200, RpcResult(id, json::object()));
  if (method == "tools/list") {
    return send(200, RpcResult(id, {{"tools", McpTools()}}));
  }
  if (method == "tools/call") {
    return CallTool(id, parameters, request, exchange);
  }
  send(200,
       RpcError(id, kMethodNotFound,
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
    exchange->Send({.body = Dump(RpcError(id, kInvalidParams, why))});
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
  const McpToolCall call = {
      .backend = backend_,
      .names = names_,
      .calls = calls_,
      .arguments = arguments,
      .keys = KeysOf(request),
      .key = KeyOf(request, id),
      .answer = std::make_shared<McpAnswer>(id, token, exchange)};
  if (name.is_string() &&
      RunMcpTool(name.get_ref<const std::string&>(), call)) {
    return;
  }
  refuse(absl::StrCat("tool ", ShownValue(name), " is not known"));
}

}  // namespace genzo
