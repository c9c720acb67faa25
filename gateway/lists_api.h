#ifndef GENZO_GATEWAY_LISTS_API_H_
#define GENZO_GATEWAY_LISTS_API_H_

#include <vector>

#include "gateway/backend.h"
#include "gateway/router.h"

namespace genzo {

// What there is besides models, by the names that requests have for it:
// GET /v1/loras, of which `model` asks for those that a model takes, and
// GET /v1/upscalers, as lists like that of /v1/models, whose entries are the
// proto's messages with an `id`; GET /v1/scorers, the proto's message whole.
// Everything in it outlives its calls. Thread-safe.
class ListsApi {
 public:
  explicit ListsApi(Backend& backend) : backend_(backend) {}

  std::vector<Route> routes();

 private:
  void Loras(const HttpRequest& request, const HttpExchangeRef& exchange);

  Backend& backend_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_LISTS_API_H_
