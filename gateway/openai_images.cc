#include "gateway/openai_images.h"

#include <map>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/request_rules.h"
#include "gateway/door_error.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"
#include "gateway/proto_json.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr char kFiles[] = "/v1/images/files/";

std::string SizeOf(const v1::Picture& picture) {
  return absl::StrCat(picture.width(), "x", picture.height());
}

// Tokens are what these clients count. Put in: about four bytes of prompt each.
// Put out: steps of the sampler, which is what the service charges.
json Usage(const v1::GenerateRequest& request, int64_t steps) {
  constexpr int kBytesPerToken = 4;
  const int64_t text = (request.prompt().size() +
                        request.negative_prompt().size() + kBytesPerToken - 1) /
                       kBytesPerToken;
  return {
      {"input_tokens", text},
      {"input_tokens_details", {{"text_tokens", text}, {"image_tokens", 0}}},
      {"output_tokens", steps},
      {"output_tokens_details", {{"text_tokens", 0}, {"image_tokens", steps}}},
      {"total_tokens", text + steps}};
}

// HTTP 1.0 knows requests without a host, and a link cannot be without one.
absl::Status NoLinkError() {
  return InvalidFieldsError(
      {{"response_format",
        "response_format \"url\" needs the header Host, or http.public_url in "
        "the server's configuration"}});
}

// Turns a job's events into those of OpenAI's stream. Its members are called
// one at a time.
class ImageStream {
 public:
  ImageStream(OpenAiCall call, uint64_t after, absl::Time created,
              HttpExchangeRef exchange)
      : call_(std::move(call)),
        after_(after),
        created_(absl::ToUnixSeconds(created)),
        exchange_(std::move(exchange)) {}

  void Take(v1::JobEvent event, EventTurn turn) {
    if (event.sequence() >= after_) skipped_.clear();
    // Errors before there is a job are answers of their own.
    if (!std::exchange(has_begun_, true)) exchange_->Begin(EventStreamHead());
    if (event.has_started()) {
      const v1::GenerateRequest& resolved = event.started().resolved();
      const bool flows = resolved.sampler() == v1::SAMPLER_FLOW_EULER ||
                         resolved.sampler() == v1::SAMPLER_FLOW_HEUN;
      steps_ = StepsOfImage(resolved,
                            flows ? StepRounding::kUp : StepRounding::kDown);
      return;
    }
    if (event.has_image_withheld()) {
      withheld_.push_back(event.image_withheld().image_index());
      return;
    }
    const bool is_preview = event.has_preview();
    if (!is_preview && !event.has_image()) return;
    const json data =
        is_preview ? Partial(event.preview()) : Completed(event.image());
    const std::string text = ServerSentEvent(data["type"].get<std::string>(),
                                             event.sequence(), Dump(data));
    if (event.sequence() <= after_) {
      if (!is_preview) skipped_.push_back(text);
      return;
    }
    exchange_->Write(text, [turn](bool) {});
  }

  void End(const absl::Status& status) {
    if (!has_begun_) {
      return exchange_->Send(
          ErrorResponse(DoorKind::kOpenAi, Renamed(status, kCommonNames)));
    }
    // A server that painted the job again has other numbers: what the client
    // says it had was not of these.
    for (std::string& text : skipped_) {
      exchange_->Write(std::move(text), nullptr);
    }
    // Clients stop at the first error: the pictures that there are come before.
    for (const uint32_t index : withheld_) WriteError(WithheldError(index));
    if (!status.ok()) WriteError(status);
    exchange_->End();
  }

 private:
  void WriteError(const absl::Status& status) {
    const json error = {{"type", "error"}, {"error", OpenAiError(status)}};
    exchange_->Write(ServerSentEvent("error", 0, Dump(error)), nullptr);
  }

  json Base(const std::string& kind, uint32_t image_index,
            const v1::Picture& picture, const std::string& format) const {
    return {{"type", absl::StrCat(call_.event_prefix, ".", kind)},
            {"b64_json", absl::Base64Escape(picture.data())},
            {"created_at", created_},
            {"size", SizeOf(picture)},
            {"quality", call_.quality},
            {"background", "opaque"},
            {"output_format", format},
            {"image_index", image_index}};
  }

  json Partial(const v1::Preview& preview) const {
    json data = Base("partial_image", preview.image_index(), preview.picture(),
                     call_.format);
    // Counted by the plan, not by what was sent: a reader may have had some
    // before, and slow readers miss some.
    const auto& planned = call_.request.preview().steps();
    data["partial_image_index"] =
        absl::c_lower_bound(planned, preview.step()) - planned.begin();
    data["step"] = preview.step();
    return data;
  }

  json Completed(const v1::Image& image) const {
    json data =
        Base("completed", image.image_index(), image.picture(), call_.format);
    data.update(FactsOf(image));
    data["usage"] = Usage(call_.request, steps_);
    return data;
  }

  const OpenAiCall call_;
  const uint64_t after_;  // the last event that the client has
  const int64_t created_;
  const HttpExchangeRef exchange_;
  bool has_begun_ = false;
  // Pictures that the client has, as long as its number may be another job's.
  std::vector<std::string> skipped_;
  int64_t steps_ = 0;
  std::vector<uint32_t> withheld_;  // images
};

}  // namespace

std::vector<Route> OpenAiImages::routes() {
  const auto form = [this](FormKind kind) {
    return [this, kind](HttpRequest request, HttpExchangeRef exchange) {
      Answer(ReadForm(kind, request.body, request.Header("content-type"),
                      with_.names),
             request, exchange);
    };
  };
  const auto models = [this](HttpRequest request, HttpExchangeRef exchange) {
    ListModels(request, exchange);
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
      {"GET",
       "/v1/images/files/{}",
       {},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         GetFile(request, exchange);
       }},
      {"GET", "/v1/models", {}, models},
      {"GET", "/v1/models/{}", {}, models},
  };
}

void OpenAiImages::Answer(absl::StatusOr<OpenAiCall> call,
                          const HttpRequest& request,
                          const HttpExchangeRef& exchange) {
  if (!call.ok()) {
    return exchange->Send(ErrorResponse(DoorKind::kOpenAi, call.status()));
  }
  if (call->wants_url && public_url_.empty() &&
      request.Header("host").empty()) {
    return exchange->Send(ErrorResponse(DoorKind::kOpenAi, NoLinkError()));
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
  // What is left of the request for later.
  HttpRequest head = request;
  head.body.clear();
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
  const auto stream = std::make_shared<ImageStream>(
      call, resumes ? LastEventId(request) : 0, with_.clock.Date(), exchange);
  exchange->OnGone(with_.backend.Generate(
      KeysOf(request), call.request,
      {.on_event =
           [stream](v1::JobEvent event, EventTurn turn) {
             stream->Take(std::move(event), std::move(turn));
           },
       .on_end =
           [stream](const absl::Status& status) { stream->End(status); }}));
}

std::string OpenAiImages::LinkPrefix(const HttpRequest& request) const {
  if (!public_url_.empty()) return absl::StrCat(public_url_, kFiles);
  return absl::StrCat(request.is_secure ? "https://" : "http://",
                      request.Header("host"), kFiles);
}

void OpenAiImages::PaintWhole(const OpenAiCall& call,
                              const HttpRequest& request,
                              const HttpExchangeRef& exchange) {
  Paint(
      with_.backend, KeysOf(request), call.request, *exchange,
      /*ear=*/nullptr,
      [this, exchange, quality = call.quality, format = call.format,
       wants_url = call.wants_url,
       prefix = LinkPrefix(request)](absl::StatusOr<Painting> painting) {
        if (!painting.ok()) {
          return exchange->Send(ErrorResponse(
              DoorKind::kOpenAi, Renamed(painting.status(), kCommonNames)));
        }
        if (painting->images.empty() && painting->withheld > 0) {
          return exchange->Send(
              ErrorResponse(DoorKind::kOpenAi, AllWithheldError()));
        }
        json data = json::array();
        std::string size = "auto";
        for (auto& [index, image] : painting->images) {
          v1::Picture& picture = *image.mutable_picture();
          size = SizeOf(picture);
          json item = FactsOf(image);
          if (wants_url) {
            item["url"] = absl::StrCat(
                prefix, with_.pictures.Keep(std::move(*picture.mutable_data()),
                                            picture.media_type()));
          } else {
            item["b64_json"] = absl::Base64Escape(picture.data());
          }
          data.push_back(std::move(item));
        }
        json answer = {
            {"created", absl::ToUnixSeconds(with_.clock.Date())},
            {"data", std::move(data)},
            {"background", "opaque"},
            {"output_format", format},
            {"quality", quality},
            {"size", size},
            {"usage", Usage(painting->resolved, painting->ended.steps_run())}};
        if (painting->withheld > 0) answer["withheld"] = painting->withheld;
        exchange->Send({.body = Dump(answer)});
      });
}

void OpenAiImages::ListModels(const HttpRequest& request,
                              const HttpExchangeRef& exchange) {
  const std::string wanted =
      request.arguments.empty() ? "" : request.arguments[0];
  with_.backend.ListModels(
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
        for (const auto& [alias, id] : with_.names.aliases()) {
          ids.push_back(alias);
        }
        json data = json::array();
        for (const std::string& id : ids) {
          json model = {{"id", id},
                        {"object", "model"},
                        {"created", 0},
                        {"owned_by", "genzo"},
                        {"root", with_.names.Resolve(id)}};
          const auto known = details.find(with_.names.Resolve(id));
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
