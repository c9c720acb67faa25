#include "gateway/openai_images.h"

#include <memory>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/openai_stream.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr char kFiles[] = "/v1/images/files/";

// HTTP 1.0 knows requests without a host, and a link cannot be without one.
absl::Status NoLinkError() {
  return InvalidFieldsError(
      {{"response_format",
        "response_format \"url\" needs the header Host, or http.public_url in "
        "the server's configuration"}});
}

StreamListener Listening(const std::shared_ptr<OpenAiStream>& stream) {
  return {
      .on_event =
          [stream](v1::JobEvent event, EventTurn turn) {
            stream->Take(std::move(event), std::move(turn));
          },
      .on_end = [stream](const absl::Status& status) { stream->End(status); }};
}

}  // namespace

std::vector<Route> OpenAiImages::routes() {
  const auto form = [this](FormKind kind) {
    return [this, kind](HttpRequest request, HttpExchangeRef exchange) {
      Answer(ReadForm(kind, request.body, request.Header("content-type"),
                      with_.names),
             request, exchange);
    };
  };
  return {
      {"POST",
       "/v1/images/generations",
       {"application/json"},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         const auto body = ParseJsonObject(request.body);
         if (!body.ok()) return Answer(body.status(), request, exchange);
         Answer(ReadGeneration(*body, with_.names), request, exchange);
       }},
      {"POST",
       "/v1/images/edits",
       {"multipart/form-data"},
       form(FormKind::kEdit)},
      {"POST",
       "/v1/images/variations",
       {"multipart/form-data"},
       form(FormKind::kVariation)},
      {"POST",
       "/v1/images/upscales",
       {"multipart/form-data"},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         Upscale(request, exchange);
       }},
      {"GET",
       "/v1/images/files/{}",
       {},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         GetFile(request, exchange);
       }},
  };
}

void OpenAiImages::Answer(absl::StatusOr<OpenAiCall> call,
                          const HttpRequest& request,
                          const HttpExchangeRef& exchange) {
  if (!call.ok()) {
    return exchange->Send(ErrorResponse(DoorKind::kOpenAi, call.status()));
  }
  const absl::Status links = CheckLinks(call->answer, request);
  if (!links.ok()) {
    return exchange->Send(ErrorResponse(DoorKind::kOpenAi, links));
  }
  const std::string key = request.Header("idempotency-key");
  if (!key.empty()) {
    call->request.set_request_id(RequestIdOf(key));
    call->request.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  }
  if (call->partial_images > 0) {
    return PlanPreviews(*std::move(call), request, exchange);
  }
  if (call->streams) return PaintStreamed(*call, request, exchange);
  PaintWhole(*call, request, exchange);
}

void OpenAiImages::PlanPreviews(OpenAiCall call, const HttpRequest& request,
                                const HttpExchangeRef& exchange) {
  // What is left of the request for later: all but a body that may be large.
  HttpRequest head = {.method = request.method,
                      .path = request.path,
                      .query = request.query,
                      .headers = request.headers,
                      .body = {},
                      .id = request.id,
                      .is_secure = request.is_secure,
                      .is_local = request.is_local,
                      .arguments = request.arguments};
  with_.backend.ListModels(
      KeysOf(request),
      [this, call = std::move(call), head = std::move(head),
       exchange](absl::StatusOr<v1::ListModelsResponse> list) mutable {
        if (!list.ok()) {
          return exchange->Send(
              ErrorResponse(DoorKind::kOpenAi, list.status()));
        }
        auto& plan = *call.request.mutable_preview();
        uint32_t steps = call.request.steps();
        for (const v1::Model& model : list->models()) {
          const bool is_meant = call.request.model().empty()
                                    ? model.is_default()
                                    : model.id() == call.request.model();
          if (!is_meant) continue;
          if (!call.request.has_steps()) steps = model.default_steps();
          // Few, and taken for pictures: the linear ones are an eighth as wide.
          if (absl::c_linear_search(model.preview_decoders(),
                                    v1::PREVIEW_DECODER_TINY)) {
            plan.set_decoder(v1::PREVIEW_DECODER_TINY);
          }
        }
        plan.set_format(call.request.output().format());
        for (const uint32_t step :
             PreviewSteps(call.request, steps, call.partial_images)) {
          plan.add_steps(step);
        }
        PaintStreamed(call, head, exchange);
      });
}

void OpenAiImages::PaintStreamed(const OpenAiCall& call,
                                 const HttpRequest& request,
                                 const HttpExchangeRef& exchange) {
  // Without a key it is another job, whose events the client has not seen.
  const bool resumes = !request.Header("idempotency-key").empty();
  const auto stream = std::make_shared<OpenAiStream>(
      call, resumes ? LastEventId(request) : 0, with_.clock.Date(), exchange);
  exchange->OnGone(
      with_.backend.Generate(KeysOf(request), call.request, Listening(stream)));
}

std::string OpenAiImages::LinkPrefix(const HttpRequest& request) const {
  if (!public_url_.empty()) return absl::StrCat(public_url_, kFiles);
  return absl::StrCat(request.is_secure ? "https://" : "http://",
                      request.Header("host"), kFiles);
}

void OpenAiImages::PaintWhole(const OpenAiCall& call,
                              const HttpRequest& request,
                              const HttpExchangeRef& exchange) {
  const auto told =
      [holes = PaintsHoles(call.request)](const absl::Status& status) {
        return AsOpenAiTells(status, holes);
      };
  Paint(with_.backend, KeysOf(request), call.request, *exchange,
        /*ear=*/nullptr, Answering(call.answer, told, request, exchange));
}

void OpenAiImages::Upscale(const HttpRequest& request,
                           const HttpExchangeRef& exchange) {
  const auto call = ReadUpscaling(request.body, request.Header("content-type"));
  const absl::Status status =
      call.ok() ? CheckLinks(call->answer, request) : call.status();
  if (!status.ok()) {
    return exchange->Send(ErrorResponse(DoorKind::kOpenAi, status));
  }
  if (call->streams) return UpscaleStreamed(*call, request, exchange);
  const auto told = [](const absl::Status& refused) {
    return Renamed(refused, OpenAiUpscaleNames());
  };
  exchange->OnGone(with_.backend.Upscale(
      KeysOf(request), call->request,
      Collecting(/*ear=*/nullptr,
                 Answering(call->answer, told, request, exchange))));
}

void OpenAiImages::UpscaleStreamed(const OpenAiUpscaling& call,
                                   const HttpRequest& request,
                                   const HttpExchangeRef& exchange) {
  const auto stream =
      OpenAiStream::OfUpscaling(call.answer, with_.clock.Date(), exchange);
  exchange->OnGone(
      with_.backend.Upscale(KeysOf(request), call.request, Listening(stream)));
}

absl::Status OpenAiImages::CheckLinks(const OpenAiAnswer& answer,
                                      const HttpRequest& request) const {
  const bool has_host = !public_url_.empty() || !request.Header("host").empty();
  return answer.wants_url && !has_host ? NoLinkError() : absl::OkStatus();
}

std::function<void(absl::StatusOr<Painting>)> OpenAiImages::Answering(
    const OpenAiAnswer& answer,
    std::function<absl::Status(const absl::Status&)> told,
    const HttpRequest& request, const HttpExchangeRef& exchange) {
  return [this, answer, told = std::move(told), exchange,
          prefix = LinkPrefix(request)](absl::StatusOr<Painting> painting) {
    if (!painting.ok()) {
      return exchange->Send(
          ErrorResponse(DoorKind::kOpenAi, told(painting.status())));
    }
    if (painting->images.empty() && painting->withheld > 0) {
      return exchange->Send(
          ErrorResponse(DoorKind::kOpenAi, AllWithheldError()));
    }
    json whole =
        WholeAnswer(*std::move(painting), answer.wants_url ? prefix : "");
    whole["output_format"] = answer.format;
    whole["quality"] = answer.quality;
    exchange->Send({.body = Dump(whole)});
  };
}

json OpenAiImages::WholeAnswer(Painting painting,
                               const std::string& link_prefix) {
  json data = json::array();
  std::string size = "auto";
  for (auto& [index, image] : painting.images) {
    v1::Picture& picture = *image.mutable_picture();
    size = OpenAiSize(picture);
    json item = FactsOf(image);
    if (link_prefix.empty()) {
      item["b64_json"] = absl::Base64Escape(picture.data());
    } else {
      item["url"] = absl::StrCat(
          link_prefix, with_.pictures.Keep(std::move(*picture.mutable_data()),
                                           picture.media_type()));
    }
    data.push_back(std::move(item));
  }
  json answer = {
      {"created", absl::ToUnixSeconds(with_.clock.Date())},
      {"data", std::move(data)},
      {"background", "opaque"},
      {"size", size},
      {"usage", OpenAiUsage(painting.resolved, painting.ended.steps_run())}};
  if (painting.withheld > 0) answer["withheld"] = painting.withheld;
  return answer;
}

void OpenAiImages::GetFile(const HttpRequest& request,
                           const HttpExchangeRef& exchange) {
  const auto text = [&](const std::string& name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
  };
  const auto found = with_.pictures.Find(request.arguments[0], text("expires"),
                                         text("signature"));
  if (!found.ok()) {
    return exchange->Send(ErrorResponse(DoorKind::kOpenAi, found.status()));
  }
  const int64_t left =
      absl::ToInt64Seconds(found->expires - with_.clock.Date());
  exchange->Send(
      {.content_type = found->media_type,
       .body = *found->bytes,
       .headers = {{"cache-control",
                    absl::StrCat("private, immutable, max-age=", left)}}});
}

}  // namespace genzo
