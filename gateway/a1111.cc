#include "gateway/a1111.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/a1111_controlnet.h"
#include "gateway/a1111_routes.h"
#include "gateway/a1111_upscaling.h"
#include "gateway/a1111_variation.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/painting.h"
#include "gateway/png_text.h"
#include "gateway/sampler_labels.h"

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

json ModelEntry(const std::string& id) {
  return {{"title", id},       {"model_name", id}, {"hash", nullptr},
          {"sha256", nullptr}, {"filename", id},   {"config", nullptr}};
}

// Of what A1111 has no field for, what there is to tell.
json ExtraParameters(const Painting& painting) {
  json extra = {{"Schedule type", LabelOf(painting.resolved.schedule())}};
  json facts = json::array();
  for (const auto& [index, image] : painting.images) {
    facts.push_back(FactsOf(image));
  }
  extra["Images"] = std::move(facts);
  if (painting.withheld > 0) extra["Withheld"] = painting.withheld;
  return extra;
}

// A1111's account of how its pictures were made.
json Info(const Painting& painting, uint32_t batch_size) {
  const v1::GenerateRequest& request = painting.resolved;
  json seeds = json::array(), prompts = json::array(),
       negatives = json::array(), subseeds = json::array(),
       texts = json::array();
  for (const auto& [index, image] : painting.images) {
    seeds.push_back(image.seed());
    subseeds.push_back(SubseedOf(request, image.seed(), index));
    prompts.push_back(request.prompt());
    negatives.push_back(request.negative_prompt());
    const auto found = ReadPngTexts(image.picture().data());
    const auto text =
        found.ok() ? found->find("parameters") : decltype(found->end()){};
    texts.push_back(found.ok() && text != found->end() ? text->second : "");
  }
  return {{"prompt", request.prompt()},
          {"all_prompts", prompts},
          {"negative_prompt", request.negative_prompt()},
          {"all_negative_prompts", negatives},
          {"seed", seeds.empty() ? json(request.seed()) : seeds[0]},
          {"all_seeds", seeds},
          {"subseed", subseeds.empty() ? json(request.seed()) : subseeds[0]},
          {"all_subseeds", subseeds},
          {"subseed_strength", request.variation().strength()},
          {"width", request.width()},
          {"height", request.height()},
          {"sampler_name", LabelOf(request.sampler())},
          {"cfg_scale", request.guidance_scale()},
          {"steps", request.steps()},
          {"batch_size", batch_size},
          {"restore_faces", false},
          {"face_restoration_model", nullptr},
          {"sd_model_name", request.model()},
          {"sd_model_hash", ""},
          {"seed_resize_from_w", -1},
          {"seed_resize_from_h", -1},
          {"denoising_strength", request.has_image_to_image()
                                     ? json(request.image_to_image().strength())
                                     : json(nullptr)},
          {"extra_generation_params", ExtraParameters(painting)},
          {"index_of_first_image", 0},
          {"infotexts", texts},
          {"styles", json::array()},
          {"comments", painting.withheld > 0
                           ? absl::StrCat(painting.withheld,
                                          " withheld by the server's policy")
                           : ""},
          {"job_timestamp", ""},
          {"clip_skip", request.clip_skip() + 1},
          {"is_using_inpainting_conditioning", false}};
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
                     {"info", Dump(Info(painting, call.batch_size))}})});
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

void SendPngInfo(const HttpRequest& request, const HttpExchangeRef& exchange) {
  const auto body = ParseJsonObject(request.body);
  if (!body.ok()) return exchange->Send(A1111Refusal(body.status()));
  FieldReader reader(*body);
  const auto file = DecodePicture(reader.Text("image").value_or(""));
  if (!file.has_value() || file->empty()) {
    reader.Fail("image", "is not a picture in base64");
  }
  if (!reader.status().ok())
    return exchange->Send(A1111Refusal(reader.status()));
  const auto texts = ReadPngTexts(*file);
  if (!texts.ok()) {
    return exchange->Send(A1111Refusal(InvalidFieldsError(
        {{"image", absl::StrCat("image: ", texts.status().message())}})));
  }
  const auto found = texts->find("parameters");
  exchange->Send(
      {.body = Dump({{"info", found == texts->end() ? "" : found->second},
                     {"items", *texts},
                     {"parameters", json::object()}})});
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
  const auto by = [this](auto member) {
    return [this, member](const v1::ListModelsResponse& list,
                          const CallerKeys& keys) {
      return (this->*member)(list, keys);
    };
  };
  const auto paint = [this](A1111Task task) {
    return [this, task](HttpRequest request, HttpExchangeRef exchange) {
      Paint(task, request, exchange);
    };
  };
  const json none = json::array();
  std::vector<Route> routes = {
      Listing("options", by(&A1111::Options)),
      Listing("samplers", by(&A1111::Samplers)),
      Listing("schedulers", by(&A1111::Schedulers)),
      Listing("sd-models",
              [](const v1::ListModelsResponse& list, const CallerKeys&) {
                json models = json::array();
                for (const v1::Model& model : list.models()) {
                  models.push_back(ModelEntry(model.id()));
                }
                return models;
              }),
      At("/controlnet/model_list",
         Listing("",
                 [this](const v1::ListModelsResponse& list,
                        const CallerKeys& keys) {
                   return ControlNetModels(ModelOf(list, keys));
                 })),
      At("/controlnet/module_list", Fixed("", ControlNetModules())),
      At("/controlnet/version", Fixed("", {{"version", 2}})),
      At("/controlnet/settings", Fixed("", {{"control_net_unit_count", 8}})),
      A1111Get("progress",
               [this](HttpRequest request, HttpExchangeRef exchange) {
                 exchange->Send({.body = Dump(Progress(KeysOf(request)))});
               }),
      Fixed("sd-vae", none),
      Fixed("sd-modules", none),
      A1111Get("loras",
               [this](HttpRequest request, HttpExchangeRef exchange) {
                 ListLoras(KeysOf(request), exchange);
               }),
      Fixed("hypernetworks", none),
      Fixed("face-restorers", none),
      Fixed("realesrgan-models", none),
      Fixed("prompt-styles", none),
      Listing(
          "embeddings",
          [this](const v1::ListModelsResponse& list, const CallerKeys& keys) {
            return EmbeddingsOf(ModelOf(list, keys));
          }),
      Fixed("scripts", {{"txt2img", none}, {"img2img", none}}),
      Fixed("script-info", none),
      Fixed("cmd-flags", json::object()),
      A1111Post("options",
                [this](HttpRequest request, HttpExchangeRef exchange) {
                  SetOptions(request, exchange);
                }),
      A1111Post("txt2img", paint(A1111Task::kTextToImage)),
      A1111Post("img2img", paint(A1111Task::kImageToImage)),
      {"POST",
       A1111Path("interrupt"),
       {},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         seats_.Interrupt(KeysOf(request));
         exchange->Send({.body = "{}"});
       }},
      {"POST",
       A1111Path("refresh-checkpoints"),
       {},
       [](HttpRequest, HttpExchangeRef exchange) {
         exchange->Send({.body = "null"});
       }},
      {"POST",
       A1111Path("refresh-loras"),
       {},
       [](HttpRequest, HttpExchangeRef exchange) {
         exchange->Send({.body = "null"});
       }},
      A1111Post("png-info", SendPngInfo),
      Lacking("interrogate", "captions of pictures"),
  };
  for (Route& route : A1111UpscalingRoutes(backend_)) {
    routes.push_back(std::move(route));
  }
  return routes;
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

json A1111::Samplers(const v1::ListModelsResponse& list,
                     const CallerKeys& keys) const {
  json samplers = json::array();
  const v1::Model* model = ModelOf(list, keys);
  if (model == nullptr) return samplers;
  for (const auto& support : model->samplers()) {
    const std::string label = LabelOf(support.sampler());
    json aliases = {v1::Sampler_Name(support.sampler())};
    for (const int schedule : support.schedules()) {
      aliases.push_back(absl::StrCat(
          label, " ", LabelOf(static_cast<v1::NoiseSchedule>(schedule))));
    }
    samplers.push_back(
        {{"name", label}, {"aliases", aliases}, {"options", json::object()}});
  }
  return samplers;
}

json A1111::Schedulers(const v1::ListModelsResponse& list,
                       const CallerKeys& keys) const {
  std::set<int> known = {v1::NOISE_SCHEDULE_UNSPECIFIED};
  const v1::Model* model = ModelOf(list, keys);
  if (model != nullptr) {
    for (const auto& support : model->samplers()) {
      known.insert(support.schedules().begin(), support.schedules().end());
    }
  }
  json schedulers = json::array();
  for (const int schedule : known) {
    const std::string label = LabelOf(static_cast<v1::NoiseSchedule>(schedule));
    schedulers.push_back({{"name", absl::AsciiStrToLower(label)},
                          {"label", label},
                          {"aliases", nullptr},
                          {"default_rho", -1},
                          {"need_inner_model", false}});
  }
  return schedulers;
}

json A1111::Progress(const CallerKeys& keys) const {
  const auto job = seats_.Latest(keys);
  json state = {{"skipped", false},   {"interrupted", false}, {"job", ""},
                {"job_count", 0},     {"job_timestamp", ""},  {"job_no", 0},
                {"sampling_step", 0}, {"sampling_steps", 0}};
  json progress = {{"progress", 0.0},
                   {"eta_relative", 0.0},
                   {"current_image", nullptr},
                   {"textinfo", nullptr}};
  if (job.has_value()) {
    state["job"] = "scripts_txt2img";
    state["job_count"] = 1;
    state["interrupted"] = job->was_interrupted;
    state["sampling_steps"] = job->steps;
    if (!job->steps_by_image.empty()) {
      state["sampling_step"] = job->steps_by_image.begin()->second;
    }
    progress["progress"] = job->Share();
    progress["eta_relative"] = absl::ToDoubleSeconds(job->time_left);
    if (!job->previews.empty()) {
      progress["current_image"] =
          absl::Base64Escape(job->previews.begin()->second);
    }
  }
  progress["state"] = std::move(state);
  return progress;
}

void A1111::ListLoras(const CallerKeys& keys, const HttpExchangeRef& exchange) {
  backend_.ListLoras(
      keys, [exchange](absl::StatusOr<v1::LoraRegistryListResponse> list) {
        if (!list.ok()) return exchange->Send(A1111Refusal(list.status()));
        json loras = json::array();
        for (const v1::Lora& lora : list->loras()) {
          if (lora.has_error()) continue;
          loras.push_back({{"name", lora.name()},
                           {"alias", lora.name()},
                           {"path", lora.name()},
                           {"metadata",
                            {{"ss_base_model_version", lora.family()},
                             {"ss_network_dim", absl::StrCat(lora.rank())}}}});
        }
        exchange->Send({.body = Dump(loras)});
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
        return exchange->Send(A1111Refusal(ModelNotFoundError(model, ids)));
      }
      seats_.ChooseModel(keys, model);
    }
    seats_.ChangeSettings(keys, settings);
    exchange->Send({.body = "null"});
  });
}

void A1111::FitToModel(const v1::ListModelsResponse& list,
                       const CallerKeys& keys,
                       v1::GenerateRequest& request) const {
  const v1::Model* model = ModelOf(list, keys);
  for (const v1::Model& other : list.models()) {
    if (other.id() == request.model()) model = &other;
  }
  if (model == nullptr) return;
  const auto takes = [&](const char* field) {
    const auto& fields = model->request_fields();
    return std::find(fields.begin(), fields.end(), field) != fields.end();
  };
  if (takes("prompt_syntax")) {
    request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  }
  if (!takes("image_guidance_scale")) request.clear_image_guidance_scale();
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
        if (list.ok()) FitToModel(*list, keys, call.request);
        Generate(keys, std::move(call), exchange);
      });
}

void A1111::Generate(const CallerKeys& keys, A1111Call call,
                     const HttpExchangeRef& exchange) {
  const auto ticket = seats_.Sit(keys, call.request.image_count());
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
              SendPainting(call, *painting, *exchange);
            } else if (job.was_interrupted) {
              SendInterrupted(call, job, *exchange);
            } else {
              exchange->Send(A1111Refusal(Renamed(
                  Renamed(painting.status(), kA1111Names), kA1111HiresNames)));
            }
          }));
  ticket->SetCancel(cancel);
  exchange->OnGone(cancel);
}

}  // namespace genzo
