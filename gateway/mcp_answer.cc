#include "gateway/mcp_answer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/request_rules.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/painting.h"

namespace genzo {

using nlohmann::json;

namespace {

// A result that is a text: of what went well, or for the model to read.
json TextResult(const std::string& text, bool is_error) {
  return {{"content", {{{"type", "text"}, {"text", text}}}},
          {"isError", is_error}};
}

}  // namespace

json RpcResult(const json& id, const json& result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", result}};
}

json RpcError(const json& id, int code, const std::string& message) {
  return {{"jsonrpc", "2.0"},
          {"id", id},
          {"error", {{"code", code}, {"message", message}}}};
}

void McpAnswer::Progress(const v1::JobEvent& event) {
  if (token_.is_null()) return;
  if (!std::exchange(is_named_, true)) {
    // Whoever is cut off finds it again with get_job.
    WriteProgress(0, absl::StrCat("job ", event.job_id()));
  }
  if (event.has_started()) {
    images_ = std::max(1u, ImagesDrawn(event.started().resolved()));
  }
  if (!event.has_progress()) return;
  // Not the request's `steps`: a second pass or an inversion walks more.
  total_ = uint64_t{event.progress().steps()} * images_;
  steps_[event.progress().image_index()] = event.progress().step();
  uint64_t done = 0;
  for (const auto& [image, step] : steps_) done += step;
  if (done <= done_) return;  // it must grow
  done_ = done;
  WriteProgress(done, absl::StrCat(unit_, " ", done, " of ", total_));
}

void McpAnswer::Finish(const json& result) {
  const json message = RpcResult(id_, result);
  if (!has_begun_) return exchange_->Send({.body = Dump(message)});
  Write(message);
  exchange_->End();
}

void McpAnswer::FinishWithText(const std::string& text) {
  Finish(TextResult(text, /*is_error=*/false));
}

void McpAnswer::Fail(const absl::Status& status) {
  if (has_begun_ || !absl::IsUnauthenticated(status)) {
    return Finish(TextResult(std::string(Renamed(status, McpNames()).message()),
                             /*is_error=*/true));
  }
  exchange_->Send(ErrorResponse(DoorKind::kMcp, status));
}

void McpAnswer::WriteProgress(uint64_t done, const std::string& message) {
  json parameters = {
      {"progressToken", token_}, {"progress", done}, {"message", message}};
  if (total_ > 0) parameters["total"] = total_;
  Write({{"jsonrpc", "2.0"},
         {"method", "notifications/progress"},
         {"params", std::move(parameters)}});
}

void McpAnswer::Write(const json& message) {
  if (!std::exchange(has_begun_, true)) exchange_->Begin(EventStreamHead());
  exchange_->Write(ServerSentEvent("message", 0, Dump(message)), nullptr);
}

}  // namespace genzo
