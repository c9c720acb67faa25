#include "gateway/openai_stream.h"

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/request_rules.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"

namespace genzo {

using nlohmann::json;

std::string OpenAiSize(const v1::Picture& picture) {
  return absl::StrCat(picture.width(), "x", picture.height());
}

json OpenAiUsage(const v1::GenerateRequest& request, int64_t steps) {
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

std::shared_ptr<OpenAiStream> OpenAiStream::OfUpscaling(
    const OpenAiAnswer& answer, absl::Time created, HttpExchangeRef exchange) {
  OpenAiCall call;
  call.answer = answer;
  call.event_prefix = "image_upscale";
  auto stream = std::make_shared<OpenAiStream>(std::move(call), /*after=*/0,
                                               created, std::move(exchange));
  stream->enlarges_ = true;
  return stream;
}

absl::Status OpenAiStream::Told(const absl::Status& status) const {
  return enlarges_ ? Renamed(status, OpenAiUpscaleNames())
                   : AsOpenAiTells(status, PaintsHoles(call_.request));
}

void OpenAiStream::Take(v1::JobEvent event, EventTurn turn) {
  if (event.sequence() >= after_) skipped_.clear();
  // Errors before there is a job are answers of their own.
  if (!std::exchange(has_begun_, true)) exchange_->Begin(EventStreamHead());
  if (event.has_started()) {
    const v1::GenerateRequest& resolved = event.started().resolved();
    const bool flows = resolved.sampler() == v1::SAMPLER_FLOW_EULER ||
                       resolved.sampler() == v1::SAMPLER_FLOW_HEUN;
    steps_ =
        StepsOfImage(resolved, flows ? StepRounding::kUp : StepRounding::kDown);
    return;
  }
  if (event.has_image_withheld()) {
    withheld_.push_back(event.image_withheld().image_index());
    return;
  }
  const bool is_preview = event.has_preview();
  const bool is_progress = enlarges_ && event.has_progress();
  if (!is_preview && !is_progress && !event.has_image()) return;
  const json data = is_preview    ? Partial(event.preview())
                    : is_progress ? Tiles(event.progress())
                                  : Completed(event.image());
  const std::string text = ServerSentEvent(data["type"].get<std::string>(),
                                           event.sequence(), Dump(data));
  if (event.sequence() <= after_) {
    if (event.has_image()) skipped_.push_back(text);
    return;
  }
  exchange_->Write(text, [turn](bool) {});
}

void OpenAiStream::End(const absl::Status& status) {
  if (!has_begun_) {
    return exchange_->Send(ErrorResponse(DoorKind::kOpenAi, Told(status)));
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

void OpenAiStream::WriteError(const absl::Status& status) {
  const json error = {{"type", "error"}, {"error", OpenAiError(Told(status))}};
  exchange_->Write(ServerSentEvent("error", 0, Dump(error)), nullptr);
}

json OpenAiStream::Base(const std::string& kind, uint32_t image_index,
                        const v1::Picture& picture) const {
  return {{"type", absl::StrCat(call_.event_prefix, ".", kind)},
          {"b64_json", absl::Base64Escape(picture.data())},
          {"created_at", created_},
          {"size", OpenAiSize(picture)},
          {"quality", call_.answer.quality},
          {"background", "opaque"},
          {"output_format", call_.answer.format},
          {"image_index", image_index}};
}

json OpenAiStream::Partial(const v1::Preview& preview) const {
  json data = Base("partial_image", preview.image_index(), preview.picture());
  // Counted by the plan, not by what was sent: a reader may have had some
  // before, and slow readers miss some.
  const auto& planned = call_.request.preview().steps();
  data["partial_image_index"] =
      absl::c_lower_bound(planned, preview.step()) - planned.begin();
  data["step"] = preview.step();
  return data;
}

json OpenAiStream::Tiles(const v1::Progress& progress) const {
  return {{"type", absl::StrCat(call_.event_prefix, ".progress")},
          {"created_at", created_},
          {"tiles_done", progress.step()},
          {"tiles", progress.steps()}};
}

json OpenAiStream::Completed(const v1::Image& image) const {
  json data = Base("completed", image.image_index(), image.picture());
  data.update(FactsOf(image));
  data["usage"] = OpenAiUsage(call_.request, steps_);
  return data;
}

}  // namespace genzo
