#ifndef GENZO_GATEWAY_OPENAI_IMAGES_H_
#define GENZO_GATEWAY_OPENAI_IMAGES_H_

#include <functional>
#include <string>
#include <vector>

#include "gateway/backend.h"
#include "gateway/model_names.h"
#include "gateway/painting.h"
#include "gateway/picture_store.h"
#include "gateway/router.h"
#include "nlohmann/json.hpp"

namespace genzo {

// How a call wants its pictures told.
struct OpenAiAnswer {
  std::string quality = "auto";
  std::string format = "png";
  bool wants_url = false;
};

// What OpenAI's images API is asked for, checked.
struct OpenAiCall {
  v1::GenerateRequest request;
  OpenAiAnswer answer;
  std::string event_prefix = "image_generation";
  bool streams = false;
  int partial_images = 0;
};

// The same of a picture that is to be enlarged, which OpenAI's API does not
// have.
struct OpenAiUpscaling {
  v1::UpscaleRequest request;
  OpenAiAnswer answer;
  bool streams = false;
};

// Reads the fields of a generation. INVALID_ARGUMENT/INVALID_FIELD with
// OpenAI's names. Pure.
absl::StatusOr<OpenAiCall> ReadGeneration(const nlohmann::json& body,
                                          const ModelNames& names);
// Reads the form of an edit or, without a prompt, a variation.
enum class FormKind { kEdit, kVariation };
absl::StatusOr<OpenAiCall> ReadForm(FormKind kind, absl::string_view body,
                                    const std::string& content_type,
                                    const ModelNames& names);

// `status` of the service as OpenAI's door tells it, by its own names of
// fields. Of a mask that leaves nothing to paint it says what is painted:
// `paints_holes` if that is what is transparent, which few expect.
absl::Status AsOpenAiTells(const absl::Status& status, bool paints_holes);
bool PaintsHoles(const v1::GenerateRequest& request);

// Reads the form of an enlargement.
absl::StatusOr<OpenAiUpscaling> ReadUpscaling(absl::string_view body,
                                              const std::string& content_type);

// OpenAI's images API, as its SDKs use it: whole answers and streams of partial
// images; and beside it a path that enlarges. Everything in it outlives its
// calls. Thread-safe.
class OpenAiImages {
 public:
  struct Dependencies {
    Backend& backend;
    PictureStore& pictures;
    const ModelNames& names;
    const Clock& clock;
  };
  // `public_url` stands before the paths of pictures; empty: the name by which
  // the client called.
  OpenAiImages(const Dependencies& dependencies, std::string public_url)
      : with_(dependencies), public_url_(std::move(public_url)) {}

  std::vector<Route> routes();

 private:
  void Answer(absl::StatusOr<OpenAiCall> call, const HttpRequest& request,
              const HttpExchangeRef& exchange);
  void PaintWhole(const OpenAiCall& call, const HttpRequest& request,
                  const HttpExchangeRef& exchange);
  void Upscale(const HttpRequest& request, const HttpExchangeRef& exchange);
  void UpscaleStreamed(const OpenAiUpscaling& call, const HttpRequest& request,
                       const HttpExchangeRef& exchange);
  // OK if links can be told, or none are wanted.
  absl::Status CheckLinks(const OpenAiAnswer& answer,
                          const HttpRequest& request) const;
  // Answers with the pictures, or with what went wrong as `told` has it.
  std::function<void(absl::StatusOr<Painting>)> Answering(
      const OpenAiAnswer& answer,
      std::function<absl::Status(const absl::Status&)> told,
      const HttpRequest& request, const HttpExchangeRef& exchange);
  // Links begin with `link_prefix`; without one it holds the pictures.
  nlohmann::json WholeAnswer(Painting painting, const std::string& link_prefix);
  void PaintStreamed(const OpenAiCall& call, const HttpRequest& request,
                     const HttpExchangeRef& exchange);
  // Adds the previews that the call wants, for which the model's steps must be
  // known.
  void PlanPreviews(OpenAiCall call, const HttpRequest& request,
                    const HttpExchangeRef& exchange);
  std::string LinkPrefix(const HttpRequest& request) const;
  void GetFile(const HttpRequest& request, const HttpExchangeRef& exchange);

  const Dependencies with_;
  const std::string public_url_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAI_IMAGES_H_
