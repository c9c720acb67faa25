#ifndef GENZO_GATEWAY_A1111_H_
#define GENZO_GATEWAY_A1111_H_

#include <string>
#include <vector>

#include "gateway/a1111_seats.h"
#include "gateway/backend.h"
#include "gateway/field_names.h"
#include "gateway/model_names.h"
#include "gateway/router.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A request of txt2img or img2img, checked.
struct A1111Call {
  v1::GenerateRequest request;
  uint32_t batch_size = 1;
  bool sends_images = true;
  int tags = 0;  // the first of request.loras, which the prompt names
  // Whether A1111's marks in the prompts are more than text; not where
  // prompt_syntax is "plain".
  bool reads_grammar = true;
  bool has_a1111s_hires = false;      // request.hires is enable_hr's
  std::vector<std::string> comments;  // for who reads the answer
  nlohmann::json parameters;          // the body, without pictures
  // What the service's faults are called in it, where not as in A1111Names().
  FieldNames names;
};

// Reads a body. Fields of A1111 that change nothing here are skipped, as are
// unknown ones; those that ask for what this service lacks are faults,
// INVALID_ARGUMENT/INVALID_FIELD, and so are those of the other doors that mean
// nothing here. Pure.
enum class A1111Task { kTextToImage, kImageToImage };
absl::StatusOr<A1111Call> ReadA1111(A1111Task task, const nlohmann::json& body,
                                    const ModelNames& names);

// The part of AUTOMATIC1111's /sdapi/v1 that its clients use. Everything in it
// outlives its calls. Thread-safe.
class A1111 {
 public:
  A1111(Backend& backend, const ModelNames& names)
      : backend_(backend), names_(names) {}

  std::vector<Route> routes();

 private:
  using Answer = std::function<nlohmann::json(const v1::ListModelsResponse&,
                                              const CallerKeys&)>;
  std::vector<Route> PaintingRoutes();
  std::vector<Route> ListRoutes();
  std::vector<Route> ControlNetRoutes();
  // A GET whose answer is made of the list of models.
  Route Listing(const std::string& name, Answer answer);
  void Paint(A1111Task task, const HttpRequest& request,
             const HttpExchangeRef& exchange);
  // Fits a request to the model that it is for, or the caller's: weights are
  // read where the model can, what clients send to every model is left out
  // where it has no meaning, and FitHires() is done. Fails as that does.
  absl::Status FitToModel(const v1::ListModelsResponse& list,
                          const CallerKeys& keys, A1111Call& call) const;
  // Refuses adapters that the prompt names and nobody knows, else generates.
  // The service would log its own refusal with their names, and prompts are not
  // to be in logs.
  void CheckTags(const CallerKeys& keys, A1111Call call,
                 const HttpExchangeRef& exchange);
  void Generate(const CallerKeys& keys, A1111Call call,
                const HttpExchangeRef& exchange);
  void ReadPngInfo(const HttpRequest& request, const HttpExchangeRef& exchange);
  void ListLoras(const CallerKeys& keys, const HttpExchangeRef& exchange);
  void SetOptions(const HttpRequest& request, const HttpExchangeRef& exchange);
  nlohmann::json Options(const v1::ListModelsResponse& list,
                         const CallerKeys& keys) const;
  // The caller's chosen model, else the default one; null if there is none.
  const v1::Model* ModelOf(const v1::ListModelsResponse& list,
                           const CallerKeys& keys) const;

  Backend& backend_;
  const ModelNames& names_;
  A1111Seats seats_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_H_
