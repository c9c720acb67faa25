#include "base/errors.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "base/utf8.h"
#include "google/rpc/error_details.pb.h"

namespace genzo {
namespace {

constexpr char kDomain[] = "genzo";
constexpr char kTypeUrlPrefix[] = "type.googleapis.com/";
// Status text travels in trailers, which clients drop when they pass 8 KiB.
constexpr size_t kMaxMessageBytes = 1024;
// Of fields and descriptions together; one alone may be as long as a message.
constexpr size_t kMaxViolationBytes = 2048;

template <typename Message>
std::string TypeUrl() {
  return absl::StrCat(kTypeUrlPrefix, Message::descriptor()->full_name());
}

template <typename Message>
void Attach(absl::Status& status, const Message& detail) {
  status.SetPayload(TypeUrl<Message>(), absl::Cord(detail.SerializeAsString()));
}

template <typename Message>
bool Read(const absl::Status& status, Message& detail) {
  const auto payload = status.GetPayload(TypeUrl<Message>());
  return payload.has_value() && detail.ParseFromString(std::string(*payload));
}

std::string Shortened(absl::string_view text) {
  if (text.size() <= kMaxMessageBytes) return std::string(text);
  size_t end = kMaxMessageBytes;
  // Do not cut a UTF-8 sequence: gRPC refuses details that are not UTF-8.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return absl::StrCat(text.substr(0, end), "...");
}

}  // namespace

absl::Status ErrorWithReason(absl::StatusCode code, const std::string& reason,
                             const std::string& message,
                             const ErrorMetadata& metadata) {
  absl::Status status(code, Shortened(message));
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(kDomain);
  for (const auto& [key, value] : metadata) {
    (*info.mutable_metadata())[key] = value;
  }
  Attach(status, info);
  return status;
}

absl::Status InvalidFieldsError(absl::Span<const FieldViolation> violations) {
  google::rpc::BadRequest bad_request;
  std::vector<std::string> sentences;
  size_t bytes = 0;
  for (const FieldViolation& violation : violations) {
    const std::string description = Shortened(violation.description);
    bytes += violation.field.size() + description.size();
    const int told = bad_request.field_violations_size();
    if (told == kMostViolations || (told > 0 && bytes > kMaxViolationBytes)) {
      break;
    }
    auto* added = bad_request.add_field_violations();
    added->set_field(violation.field);
    added->set_description(description);
    sentences.push_back(description);
  }
  absl::Status status =
      ErrorWithReason(absl::StatusCode::kInvalidArgument, "INVALID_FIELD",
                      absl::StrJoin(sentences, "; "));
  Attach(status, bad_request);
  return status;
}

absl::Status FaultOfField(const std::string& field,
                          const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  return InvalidFieldsError(
      {{field, absl::StrCat(field, ": ", status.message())}});
}

absl::Status ModelNotFoundError(const std::string& id,
                                absl::Span<const std::string> known_ids) {
  absl::Status status =
      ErrorWithReason(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND",
                      absl::StrCat("model \"", id, "\" is not known",
                                   known_ids.empty() ? "" : "; known models: ",
                                   absl::StrJoin(known_ids, ", ")));
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("genzo.v1.Model");
  resource.set_resource_name(id);
  Attach(status, resource);
  return status;
}

absl::Status RetryLaterError(const std::string& reason,
                             const std::string& message,
                             absl::Duration retry_after,
                             const ErrorMetadata& metadata,
                             absl::StatusCode code) {
  absl::Status status = ErrorWithReason(code, reason, message, metadata);
  google::rpc::RetryInfo retry;
  *retry.mutable_retry_delay() = ToProto(retry_after);
  Attach(status, retry);
  return status;
}

absl::Status WithReason(const absl::Status& status, const std::string& reason) {
  if (!ErrorReason(status).empty()) return status;
  return ErrorWithReason(status.code(), reason, std::string(status.message()));
}

absl::Status QuotaError(const std::string& quota, const std::string& limit,
                        const std::string& key_id, const std::string& what,
                        absl::Duration retry_after) {
  absl::Status status = RetryLaterError(
      "QUOTA_EXCEEDED", absl::StrCat(what, " (", quota, ")"), retry_after,
      {{"quota", quota}, {"limit", limit}, {"key", key_id}},
      absl::StatusCode::kResourceExhausted);
  google::rpc::QuotaFailure failure;
  failure.add_violations()->set_subject(absl::StrCat("key:", key_id));
  failure.mutable_violations(0)->set_description(what);
  Attach(status, failure);
  return status;
}

absl::Status RequestIdInUseError(const std::string& id) {
  return ErrorWithReason(
      absl::StatusCode::kAlreadyExists, "REQUEST_ID_IN_USE",
      absl::StrCat("request_id ", id, " was used for another request"),
      {{"field", "request_id"}});
}

absl::Status JobCancelledError() {
  return ErrorWithReason(absl::StatusCode::kCancelled, "CANCELLED",
                         "the job was cancelled");
}

std::string ErrorReason(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  return Read(status, info) ? info.reason() : "";
}

absl::Duration RetryAfter(const absl::Status& status) {
  google::rpc::RetryInfo retry;
  if (!Read(status, retry)) return absl::ZeroDuration();
  return FromProto(retry.retry_delay());
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status result;
  result.set_code(static_cast<int>(status.code()));
  result.set_message(ToUtf8(Shortened(status.message())));
  if (status.ok()) return result;
  if (ErrorReason(status).empty()) {
    return ToRpcStatus(ErrorWithReason(status.code(),
                                       absl::StatusCodeToString(status.code()),
                                       std::string(status.message())));
  }
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& bytes) {
    auto* detail = result.add_details();
    detail->set_type_url(std::string(type));
    detail->set_value(std::string(bytes));
  });
  return result;
}

absl::Status FromRpcStatus(const google::rpc::Status& status) {
  absl::Status result(static_cast<absl::StatusCode>(status.code()),
                      status.message());
  for (const auto& detail : status.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

}  // namespace genzo
