#include "gateway/a1111.h"

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/request_rules.h"
#include "gateway/a1111_answers.h"
#include "gateway/a1111_blank.h"
#include "gateway/a1111_controlnet.h"
#include "gateway/a1111_hires.h"
#include "gateway/a1111_memory.h"
#include "gateway/a1111_routes.h"
#include "gateway/a1111_settings.h"
#include "gateway/a1111_upscaling.h"
#include "gateway/a1111_variation.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/painting.h"

namespace genzo {

using nlohmann::json;

namespace {

// What is asked for but is not there.
Route Fixed(const std::string& name, const json& answer) {
  return A1111Get(name,
                  [body = Dump(answer)](HttpRequest, HttpExchangeRef exchange) {
                    exchange->Send({.body = body});
                  });
}

// The same elsewhere.
Route At(const std::string& path, Route route) {
  route.pattern = path;
  return route;
}

void SendPainting(const A1111Call& call, const Painting& painting,
                  HttpExchange& exchange) {
  json images = json::array();
  if (call.sends_images) {
    for (const auto& [index, image] : painting.images) {
      images.push_back(absl::Base64Escape(image.picture().data()));
    }
  }
  exchange.Send(
      {.body = Dump({{"images", images},
                     {"parameters", call.parameters},
                     {"info", Dump(A1111Info(painting, call.batch_size,
                                             call.comments))}})});
}

// As A1111 does it: what was there when it was interrupted is the answer.
void SendInterrupted(const A1111Call& call, const SeatedJob& job,
                     HttpExchange& exchange) {
  Painting painting;
  painting.resolved = job.resolved.has_value() ? *job.resolved : call.request;
  for (const auto& [index, preview] : job.previews) {
    v1::Image& image = painting.images[index];
    image.set_seed(painting.resolved.seed() + index);
    image.mutable_picture()->set_data(preview);
  }
  SendPainting(call, painting, exchange);
}

Route Lacking(const std::string& name, const std::string& what) {
  Route route =
      A1111Post(name, [name, what](HttpRequest, HttpExchangeRef exchange) {
        exchange->Send(A1111Refusal(ErrorWithReason(
            absl::StatusCode::kUnimplemented, "NOT_YET",
            absl::StrCat(name, ": this server has no ", what, " yet"))));
      });
  route.lacking = true;
  return route;
}

// INVALID_ARGUMENT/INVALID_FIELD if the prompt names an adapter that is not in
// `list`; OK if it is not the whole list.
absl::Status CheckTagsAgainst(const v1::LoraRegistryListResponse& list,
                              const A1111Call& call) {
  if (!list.next_page_token().empty()) return absl::OkStatus();
  std::vector<FieldViolation> faults;
  for (int i = 0; i < call.tags; ++i) {
    const std::string& name = call.request.loras(i).name();
    const auto is_it = [&](const v1::Lora& lora) {
      return lora.name() == name;
    };
    if (absl::c_any_of(list.loras(), is_it)) continue;
    faults.push_back(
        {"prompt", absl::StrCat("prompt's <lora:", name,
                                "> is no adapter of this server; GET "
                                "/sdapi/v1/loras lists them")});
  }
  return faults.empty() ? absl::OkStatus() : InvalidFieldsError(faults);
}

// A POST that nobody reads anything of.
Route WithoutBody(const std::string& name, HttpHandler handler) {
  return {"POST", A1111Path(name), {}, std::move(handler)};
}

Route Refresh(const std::string& name) {
  return WithoutBody(name, [](HttpRequest, HttpExchangeRef exchange) {
    exchange->Send({.body = "null"});
  });
}

// Of what there is none, and of what the server looks for by itself.
std::vector<Route> EmptyRoutes() {
  std::vector<Route> routes = {
      Fixed("scripts",
            {{"txt2img", json::array()}, {"img2img", json::array()}}),
      Fixed("cmd-flags", json::object()), Refresh("refresh-checkpoints"),
      Refresh("refresh-loras")};
  for (const char* name :
       {"sd-vae", "sd-modules", "hypernetworks", "face-restorers",
        "realesrgan-models", "prompt-styles", "script-info"}) {
    routes.push_back(Fixed(name, json::array()));
  }
  return routes;
}

}  // namespace

Route A1111::Listing(const std::string& name, Answer answer) {
  return A1111Get(name, [this, answer = std::move(answer)](
                            HttpRequest request, HttpExchangeRef exchange) {
    const CallerKeys keys = KeysOf(request);
    backend_.ListModels(keys, [exchange, keys, answer](
                                  absl::StatusOr<v1::ListModelsResponse> list) {
      if (!list.ok()) return exchange->Send(A1111Refusal(list.status()));
      exchange->Send({.body = Dump(answer(*list, keys))});
    });
  });
}

std::vector<Route> A1111::routes() {
  std::vector<Route> routes = PaintingRoutes();
  for (auto& more : {ListRoutes(), EmptyRoutes(), ControlNetRoutes(),
                     A1111UpscalingRoutes(backend_, seats_)}) {
    routes.insert(routes.end(), more.begin(), more.end());
  }
  return routes;
}

std::vector<Route> A1111::PaintingRoutes() {
  const auto paint = [this](A1111Task task) {
    return [this, task](HttpRequest request, HttpExchangeRef exchange) {
      Paint(task, request, exchange);
    };
  };
  const auto ending = [this](const std::string& name,
                             const std::string& answer) {
    return WithoutBody(
        name, [this, answer](HttpRequest request, HttpExchangeRef exchange) {
          seats_.Interrupt(KeysOf(request));
          exchange->Send({.body = answer});
        });
  };
  return {A1111Post("txt2img", paint(A1111Task::kTextToImage)),
          A1111Post("img2img", paint(A1111Task::kImageToImage)),
          A1111Get("progress",
                   [this](HttpRequest request, HttpExchangeRef exchange) {
                     exchange->Send({.body = Dump(A1111Progress(
                                         seats_.Latest(KeysOf(request))))});
                   }),
          ending("interrupt", "{}"),
          // Of pictures that are painted together all are the current one.
          ending("skip", "null"),
          A1111Post("png-info",
                    [this](HttpRequest request, HttpExchangeRef exchange) {
                      ReadPngInfo(request, exchange);
                    }),
          Lacking("interrogate", "captions of pictures")};
}

std::vector<Route> A1111::ListRoutes() {
  using List = v1::ListModelsResponse;
  const auto of_model = [this](json (*answer)(const v1::Model*)) {
    return [this, answer](const List& list, const CallerKeys& keys) {
      return answer(ModelOf(list, keys));
    };
  };
  return {
      Listing("options",
              [this](const List& list, const CallerKeys& keys) {
                return Options(list, keys);
              }),
      A1111Post("options",
                [this](HttpRequest request, HttpExchangeRef exchange) {
                  SetOptions(request, exchange);
                }),
      Listing("sd-models", [](const List& list,
                              const CallerKeys&) { return A1111Models(list); }),
      Listing("samplers", of_model(A1111Samplers)),
      Listing("schedulers", of_model(A1111Schedulers)),
      Listing("embeddings", of_model(EmbeddingsOf)),
      // For those who may call.
      Listing("memory",
              [](const List&, const CallerKeys&) { return A1111Memory(); }),
      A1111Get("loras", [this](HttpRequest request, HttpExchangeRef exchange) {
        ListLoras(KeysOf(request), exchange);
      })};
}

std::vector<Route> A1111::ControlNetRoutes() {
  return {
      At("/controlnet/model_list",
         Listing("",
                 [this](const v1::ListModelsResponse& list,
                        const CallerKeys& keys) {
                   return ControlNetModels(ModelOf(list, keys));
                 })),
      At("/controlnet/module_list", Fixed("", ControlNetModules())),
      At("/controlnet/version", Fixed("", {{"version", 2}})),
      At("/controlnet/settings", Fixed("", {{"control_net_unit_count", 8}}))};
}

const v1::Model* A1111::ModelOf(const v1::ListModelsResponse& list,
                                const CallerKeys& keys) const {
  const std::string chosen = seats_.Model(keys);
  for (const v1::Model& model : list.models()) {
    if (chosen.empty() ? model.is_default() : model.id() == chosen) {
      return &model;
    }
  }
  return list.models().empty() ? nullptr : &list.models(0);
}

json A1111::Options(const v1::ListModelsResponse& list,
                    const CallerKeys& keys) const {
  const v1::Model* model = ModelOf(list, keys);
  json options = {{"sd_model_checkpoint", model == nullptr ? "" : model->id()},
                  {"sd_checkpoint_hash", ""},
                  {"sd_vae", "Automatic"},
                  {"CLIP_stop_at_last_layers", 1},
                  {"samples_format", "png"},
                  {"eta_noise_seed_delta", 0}};
  options.update(seats_.Settings(keys));
  return options;
}

void A1111::ReadPngInfo(const HttpRequest& request,
                        const HttpExchangeRef& exchange) {
  const auto body = ParseJsonObject(request.body);
  if (!body.ok()) return exchange->Send(A1111Refusal(body.status()));
  FieldReader reader(*body);
  std::string file =
      PictureIn(reader, "image", reader.Text("image").value_or(""));
  if (!reader.status().ok())
    return exchange->Send(A1111Refusal(reader.status()));
  // A file can be made to take long: it is read for those who may call.
  backend_.ListModels(KeysOf(request),
                      [exchange, file = std::move(file)](
                          const absl::StatusOr<v1::ListModelsResponse>& list) {
                        if (!list.ok())
                          return exchange->Send(A1111Refusal(list.status()));
                        const auto info = A1111PngInfo(file);
                        if (!info.ok())
                          return exchange->Send(A1111Refusal(info.status()));
                        exchange->Send({.body = Dump(*info)});
                      });
}

void A1111::ListLoras(const CallerKeys& keys, const HttpExchangeRef& exchange) {
  backend_.ListLoras(
      keys, [exchange](absl::StatusOr<v1::LoraRegistryListResponse> list) {
        if (!list.ok()) return exchange->Send(A1111Refusal(list.status()));
        exchange->Send({.body = Dump(A1111Loras(*list))});
      });
}

void A1111::SetOptions(const HttpRequest& request,
                       const HttpExchangeRef& exchange) {
  const auto body = ParseJsonObject(request.body);
  if (!body.ok()) return exchange->Send(A1111Refusal(body.status()));
  FieldReader reader(*body);
  const auto wanted = reader.Text("sd_model_checkpoint");
  if (!reader.status().ok())
    return exchange->Send(A1111Refusal(reader.status()));
  const auto settings = ReadA1111Settings(*body);
  if (!settings.ok()) return exchange->Send(A1111Refusal(settings.status()));
  const CallerKeys keys = KeysOf(request);
  // Also where no model is named: whoever has no key changes nothing.
  backend_.ListModels(keys, [this, keys, exchange, settings = *settings,
                             model = names_.Resolve(wanted.value_or(""))](
                                absl::StatusOr<v1::ListModelsResponse> list) {
    if (!list.ok()) return exchange->Send(A1111Refusal(list.status()));
    std::vector<std::string> ids;
    for (const auto& known : list->models()) ids.push_back(known.id());
    if (!model.empty()) {
      if (std::find(ids.begin(), ids.end(), model) == ids.end()) {
        return exchange->Send(
            A1111Refusal(Renamed(ModelNotFoundError(model, ids),
                                 {{"model", "sd_model_checkpoint"}})));
      }
      seats_.ChooseModel(keys, model);
    }
    seats_.ChangeSettings(keys, settings);
    exchange->Send({.body = "null"});
  });
}

absl::Status A1111::FitToModel(const v1::ListModelsResponse& list,
                               const CallerKeys& keys, A1111Call& call) const {
  v1::GenerateRequest& request = call.request;
  const v1::Model* model = ModelOf(list, keys);
  for (const v1::Model& other : list.models()) {
    if (other.id() == request.model()) model = &other;
  }
  if (model == nullptr) return absl::OkStatus();
  const auto takes = [&](const char* field) {
    const auto& fields = model->request_fields();
    return std::find(fields.begin(), fields.end(), field) != fields.end();
  };
  if (call.reads_grammar && takes("prompt_syntax")) {
    request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  }
  if (!takes("image_guidance_scale")) request.clear_image_guidance_scale();
  return call.has_a1111s_hires ? FitHires(*model, request) : absl::OkStatus();
}

void A1111::Paint(A1111Task task, const HttpRequest& request,
                  const HttpExchangeRef& exchange) {
  const auto body = ParseJsonObject(request.body);
  if (!body.ok()) return exchange->Send(A1111Refusal(body.status()));
  const CallerKeys keys = KeysOf(request);
  auto call =
      ReadA1111(task, WithSettings(*body, seats_.Settings(keys)), names_);
  if (!call.ok()) return exchange->Send(A1111Refusal(call.status()));
  if (call->request.model().empty()) {
    call->request.set_model(seats_.Model(keys));
  }
  backend_.ListModels(
      keys, [this, keys, exchange, call = *std::move(call)](
                const absl::StatusOr<v1::ListModelsResponse>& list) mutable {
        const absl::Status fitted =
            list.ok() ? FitToModel(*list, keys, call) : absl::OkStatus();
        if (!fitted.ok()) return exchange->Send(A1111Refusal(fitted));
        CheckTags(keys, std::move(call), exchange);
      });
}

void A1111::CheckTags(const CallerKeys& keys, A1111Call call,
                      const HttpExchangeRef& exchange) {
  using List = v1::LoraRegistryListResponse;
  if (call.tags == 0) return Generate(keys, std::move(call), exchange);
  backend_.ListLoras(keys, [this, keys, exchange, call = std::move(call)](
                               const absl::StatusOr<List>& list) mutable {
    const absl::Status known =
        list.ok() ? CheckTagsAgainst(*list, call) : absl::OkStatus();
    if (!known.ok()) return exchange->Send(A1111Refusal(known));
    Generate(keys, std::move(call), exchange);
  });
}

void A1111::Generate(const CallerKeys& keys, A1111Call call,
                     const HttpExchangeRef& exchange) {
  const auto ticket = seats_.Sit(keys, ImagesDrawn(call.request));
  const v1::GenerateRequest wanted = call.request;
  // Their bytes are on their way.
  call.request.clear_image_to_image();
  call.request.clear_controls();
  call.request.clear_image_prompts();
  call.request.clear_inpainting();
  const CancelStream cancel = backend_.Generate(
      keys, wanted,
      Collecting(
          [ticket](const v1::JobEvent& event) { ticket->Take(event); },
          [exchange, ticket,
           call = std::move(call)](absl::StatusOr<Painting> painting) {
            const SeatedJob job = ticket->job();
            if (painting.ok()) {
              BlackOutWithheld(*painting);
              SendPainting(call, *painting, *exchange);
            } else if (job.was_interrupted) {
              SendInterrupted(call, job, *exchange);
            } else {
              exchange->Send(A1111Refusal(Renamed(
                  painting.status(), Followed(call.names, A1111Names()))));
            }
          }));
  ticket->SetCancel(cancel);
  exchange->OnGone(cancel);
}

}  // namespace genzo
