#include "gateway/lists_api.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "gateway/json_answers.h"

namespace genzo {

using nlohmann::json;

namespace {

absl::StatusOr<v1::LoraRegistryListRequest> ReadLoras(
    const HttpRequest& request) {
  v1::LoraRegistryListRequest list;
  for (const auto& [name, value] : request.query) {
    int32_t size = 0;
    if (name == "model") {
      list.set_model(value);
    } else if (name == "page_token") {
      list.set_page_token(value);
    } else if (name != "page_size") {
      return WrongParameter(name, value, "is not a parameter of this");
    } else if (!absl::SimpleAtoi(value, &size)) {
      return WrongParameter(name, value,
                            "is not a whole number from 0 to 1000");
    } else {
      list.set_page_size(size);
    }
  }
  return list;
}

// Answers with the entries of the one list in what the service says, each a
// `kind`, "lora", and called by its name.
template <typename Answer>
Backend::Done<Answer> Listing(const std::string& list, const std::string& kind,
                              HttpExchangeRef exchange) {
  return [list, kind, exchange = std::move(exchange)](
             const absl::StatusOr<Answer>& answer) {
    if (!answer.ok()) return exchange->Send(Refusal(answer.status()));
    json told = json::parse(ToJson(*answer));
    json data = std::move(told[list]);
    told.erase(list);
    for (json& entry : data) {
      entry["id"] = entry["name"];
      entry["object"] = kind;
    }
    told["object"] = "list";
    told["data"] = std::move(data);
    exchange->Send({.body = Dump(told)});
  };
}

}  // namespace

std::vector<Route> ListsApi::routes() {
  return {
      {.method = "GET",
       .pattern = "/v1/loras",
       .handler = [this](
                      HttpRequest request,
                      HttpExchangeRef exchange) { Loras(request, exchange); }},
      {.method = "GET",
       .pattern = "/v1/upscalers",
       .handler =
           [this](HttpRequest request, HttpExchangeRef exchange) {
             backend_.ListUpscalers(KeysOf(request),
                                    Listing<v1::ListUpscalersResponse>(
                                        "upscalers", "upscaler", exchange));
           }},
      {.method = "GET",
       .pattern = "/v1/scorers",
       .handler =
           [this](HttpRequest request, HttpExchangeRef exchange) {
             backend_.ListScorers(KeysOf(request),
                                  Answering<v1::ListScorersResponse>(exchange));
           }},
  };
}

void ListsApi::Loras(const HttpRequest& request,
                     const HttpExchangeRef& exchange) {
  const auto list = ReadLoras(request);
  if (!list.ok()) return exchange->Send(Refusal(list.status()));
  backend_.ListLoras(
      KeysOf(request), *list,
      Listing<v1::LoraRegistryListResponse>("loras", "lora", exchange));
}

}  // namespace genzo
