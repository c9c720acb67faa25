#include "gateway/mcp.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/version.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/mcp_tools.h"
#include "gateway/picture_store.h"

namespace genzo {

using nlohmann::json;

namespace {

// The newest first. The last of them also has batches of messages, which no
// client is known to send: they are refused as no message.
constexpr const char* kVersions[] = {"2025-11-25", "2025-06-18", "2025-03-26"};
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

json Error(const json& id, int code, const std::string& message) {
  return {{"jsonrpc", "2.0"},
          {"id", id},
          {"error", {{"code", code}, {"message", message}}}};
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

// The version that the client says it speaks is one of ours, or it says none.
bool IsKnownVersion(const HttpRequest& request) {
  const std::string version = request.Header("mcp-protocol-version");
  return version.empty() ||
         std::find(std::begin(kVersions), std::end(kVersions), version) !=
             std::end(kVersions);
}

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
