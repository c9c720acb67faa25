#include "tools/bench/measurement.h"

#include "absl/status/status.h"
#include "base/errors.h"
#include "base/proto_time.h"

namespace genzo {
namespace {

template <typename Event>
void NotePrediction(const Event& event, absl::Duration now,
                    std::optional<Prediction>& first) {
  if (first.has_value() || !event.has_time_left()) return;
  first = {.at = now, .left = FromProto(event.time_left())};
}

}  // namespace

void Measurement::Note(const v1::JobEvent& event, absl::Duration now,
                       bool keep_picture) {
  if (event.has_queued()) {
    NotePrediction(event.queued(), now, queued_prediction);
  }
  if (event.has_progress()) {
    if (!first_step.has_value()) first_step = now;
    NotePrediction(event.progress(), now, step_prediction);
    const uint32_t rows = event.progress().batch_rows();
    if (rows > 0) ++batch_rows[rows];
  }
  if (event.has_preview() && !first_preview.has_value()) first_preview = now;
  if (event.has_image()) {
    ++pictures;
    if (keep_picture) picture = event.image().picture().data();
  }
}

void Measurement::NoteEnd(const grpc::Status& status, absl::Duration now) {
  total = now;
  code = status.error_code();
  message = status.error_message();
  google::rpc::Status details;
  const bool from_genzo =
      details.ParseFromString(status.error_details()) && details.code() != 0;
  if (from_genzo) reason = ErrorReason(FromRpcStatus(details));
  server_gone = !from_genzo && code == grpc::StatusCode::UNAVAILABLE;
}

std::string Measurement::outcome() const {
  if (succeeded()) return "OK";
  if (hung) return "HUNG";
  if (lost()) return "LOST";
  if (server_gone) return "SERVER_GONE";
  if (cancelled && code == grpc::StatusCode::CANCELLED) return "CANCELLED";
  if (!reason.empty()) return reason;
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

}  // namespace genzo
