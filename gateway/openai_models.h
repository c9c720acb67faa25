#ifndef GENZO_GATEWAY_OPENAI_MODELS_H_
#define GENZO_GATEWAY_OPENAI_MODELS_H_

#include <vector>

#include "gateway/backend.h"
#include "gateway/model_names.h"
#include "gateway/router.h"

namespace genzo {

// OpenAI's list of models, and each of them: GET /v1/models with the aliases
// that the configuration gives them; `genzo` of an entry is the proto's
// message. Everything in it outlives its calls. Thread-safe.
class OpenAiModels {
 public:
  OpenAiModels(Backend& backend, const ModelNames& names)
      : backend_(backend), names_(names) {}

  std::vector<Route> routes();

 private:
  void List(const HttpRequest& request, const HttpExchangeRef& exchange);

  Backend& backend_;
  const ModelNames& names_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAI_MODELS_H_
