#include "gateway/openapi.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"
#include "gateway/openapi_paths.h"
#include "gateway/openapi_schemas.h"
#include "gateway/proto_schemas.h"
#include "genzo/v1/jobs.pb.h"
#include "genzo/v1/lora_registry.pb.h"
#include "genzo/v1/scoring.pb.h"
#include "genzo/v1/upscaling.pb.h"

namespace genzo {

using nlohmann::json;

namespace {

// "/v1/jobs/{id}" as it stands in a Route.
std::string PatternOf(const std::string& path) {
  std::string pattern;
  bool inside = false;
  for (const char c : path) {
    if (c == '}') inside = false;
    if (!inside) pattern += c;
    if (c == '{') inside = true;
  }
  return pattern;
}

// Whose description stands elsewhere.
json Undescribed(const Route& route) {
  struct Kind {
    const char* prefix;
    const char* tag;
    const char* description;
  };
  constexpr Kind kKinds[] = {
      {"/sdapi/", "webui",
       "As AUTOMATIC1111's web UI has it; see docs/http.md."},
      {"/mcp", "mcp", "A message of the Model Context Protocol."},
      {"/", "door", "Of the door itself."}};
  const Kind& kind =
      *std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& one) {
        return absl::StartsWith(route.pattern, one.prefix);
      });
  std::string id = absl::StrCat(
      kind.tag, "_", absl::AsciiStrToLower(route.method), route.pattern);
  std::replace_if(
      id.begin(), id.end(), [](unsigned char c) { return !std::isalnum(c); },
      '_');
  json operation =
      Operation(id, kind.description,
                {{"200", {{"description", "The answer."}}},
                 {"default", {{"description", "What is wrong."}}}});
  if (route.body_types.empty()) return operation;
  return WithBody(std::move(operation), route.body_types.front(),
                  WebUiSchema(route.pattern));
}

// With each of `routes` that `paths` lacks.
void AddUndescribed(const std::vector<Route>& routes, json& paths) {
  for (const Route& route : routes) {
    if (route.lacking || absl::StrContains(route.pattern, "{*}")) continue;
    const std::string method = absl::AsciiStrToLower(route.method);
    const auto same = std::find_if(
        paths.items().begin(), paths.items().end(), [&](const auto& path) {
          return PatternOf(path.key()) == route.pattern &&
                 path.value().contains(method);
        });
    if (same != paths.items().end()) continue;
    paths[route.pattern][method] = Undescribed(route);
  }
}

json Tags() {
  json tags = json::array();
  for (const auto& [name, description] :
       std::initializer_list<std::pair<const char*, const char*>>{
           {"images", "Pictures, as OpenAI's clients ask for them."},
           {"jobs", "Jobs that outlive a connection."},
           {"models", "What there is to paint with."},
           {"scores", "How good pictures are."},
           {"loras", "Adapters that requests may name."},
           {"upscalers", "What enlarges pictures."},
           {"webui", "Pictures, as programs for A1111's web UI ask for them."},
           {"mcp", "Tools for language models."},
           {"door", "The door itself."}}) {
    tags.push_back({{"name", name}, {"description", description}});
  }
  return tags;
}

}  // namespace

std::string OpenApiDocument(const std::vector<Route>& routes) {
  json schemas = OpenAiSchemas();
  for (const auto* message :
       {v1::CreateJobRequest::descriptor(), v1::Job::descriptor(),
        v1::ListJobsResponse::descriptor(), v1::JobEvent::descriptor(),
        v1::ScoreRequest::descriptor(), v1::ScoreResponse::descriptor(),
        v1::ListScorersResponse::descriptor(), v1::Upscaler::descriptor(),
        v1::Lora::descriptor()}) {
    AddSchemas(*message, schemas);
  }
  for (const char* listed : {"Upscaler", "Lora"}) {
    json& fields = schemas[listed]["properties"];
    fields["id"] = fields["object"] = {{"type", "string"}};
  }
  json paths = DescribedPaths();
  AddUndescribed(routes, paths);
  return Dump(
      {{"openapi", "3.1.0"},
       {"info",
        {{"title", "Genzo"},
         {"version", "1"},
         {"description", "Pictures that develop in front of their reader."},
         {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
         {"contact", {{"name", "The maintainers of Genzo"}}}}},
       {"servers", {{{"url", "/"}}}},
       {"tags", Tags()},
       {"security", {json::object(), {{"bearer", json::array()}}}},
       {"paths", paths},
       {"components",
        {{"schemas", schemas},
         {"securitySchemes",
          {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}});
}

}  // namespace genzo
