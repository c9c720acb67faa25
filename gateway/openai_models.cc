#include "gateway/openai_models.h"

#include <map>
#include <string>

#include "base/errors.h"
#include "gateway/door_error.h"
#include "gateway/proto_json.h"

namespace genzo {

using nlohmann::json;

std::vector<Route> OpenAiModels::routes() {
  const auto list = [this](HttpRequest request, HttpExchangeRef exchange) {
    List(request, exchange);
  };
  return {{"GET", "/v1/models", {}, list}, {"GET", "/v1/models/{}", {}, list}};
}

void OpenAiModels::List(const HttpRequest& request,
                        const HttpExchangeRef& exchange) {
  const std::string wanted =
      request.arguments.empty() ? "" : request.arguments[0];
  backend_.ListModels(
      KeysOf(request),
      [this, exchange, wanted](absl::StatusOr<v1::ListModelsResponse> list) {
        if (!list.ok()) {
          return exchange->Send(
              ErrorResponse(DoorKind::kOpenAi, list.status()));
        }
        std::vector<std::string> ids;
        std::map<std::string, json> details;  // by id; for the page
        for (const v1::Model& model : list->models()) {
          ids.push_back(model.id());
          details[model.id()] = json::parse(ToJson(model));
        }
        for (const auto& [alias, id] : names_.aliases()) {
          ids.push_back(alias);
        }
        json data = json::array();
        for (const std::string& id : ids) {
          json model = {{"id", id},
                        {"object", "model"},
                        {"created", 0},
                        {"owned_by", "genzo"},
                        {"root", names_.Resolve(id)}};
          const auto known = details.find(names_.Resolve(id));
          if (known != details.end()) model["genzo"] = known->second;
          if (id == wanted) return exchange->Send({.body = Dump(model)});
          data.push_back(std::move(model));
        }
        if (!wanted.empty()) {
          return exchange->Send(ErrorResponse(DoorKind::kOpenAi,
                                              ModelNotFoundError(wanted, ids)));
        }
        exchange->Send({.body = Dump({{"object", "list"}, {"data", data}})});
      });
}

}  // namespace genzo
