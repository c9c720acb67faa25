#include "gateway/door_error.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/draining.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr char kBadRequestType[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

std::string OpenAiType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

json Nullable(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

constexpr char kField[] = "field";  // of an ErrorInfo

// What errors are of that name no field.
constexpr std::pair<const char*, const char*> kFieldsOfReasons[] = {
    {"MODEL_NOT_FOUND", "model"},
    {"LATENTS_NOT_FOUND", "start_latents"},
    {"DEADLINE_UNREACHABLE", "time_limit"}};

google::rpc::ErrorInfo ErrorInfoIn(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  const auto payload = status.GetPayload(kErrorInfoType);
  if (payload.has_value()) info.ParseFromString(std::string(*payload));
  return info;
}

// The violations, or the field that an ErrorInfo names without one.
std::vector<FieldViolation> FaultsIn(const absl::Status& status) {
  std::vector<FieldViolation> faults = ViolationsIn(status);
  if (!faults.empty()) return faults;
  const google::rpc::ErrorInfo info = ErrorInfoIn(status);
  const auto field = info.metadata().find(kField);
  if (field != info.metadata().end()) {
    faults.push_back({field->second, std::string(status.message())});
  }
  return faults;
}

// "args[1].image" as FastAPI says where that is: "args", 1, "image".
json PlaceOf(absl::string_view field) {
  json place = {"body"};
  for (absl::string_view name : absl::StrSplit(field, '.')) {
    const absl::string_view key = name.substr(0, name.find('['));
    place.push_back(std::string(key));
    name.remove_prefix(key.size());
    for (absl::string_view index :
         absl::StrSplit(name, ']', absl::SkipEmpty())) {
      int number = 0;
      if (absl::ConsumePrefix(&index, "[") &&
          absl::SimpleAtoi(index, &number)) {
        place.push_back(number);
      }
    }
  }
  return place;
}

// FastAPI's, which A1111's own server answers with.
json A1111Error(const absl::Status& status) {
  json places = json::array();
  for (const FieldViolation& violation : FaultsIn(status)) {
    places.push_back({{"loc", PlaceOf(violation.field)},
                      {"msg", violation.description},
                      {"type", "value_error"}});
  }
  if (!places.empty()) return {{"detail", places}};
  const std::string message(status.message());
  return {{"error", ErrorReason(status)},
          {"detail", message},
          {"body", ""},
          {"errors", message}};
}

// How many requests the key, or the queue, may have at once, if that is what
// was too much; else "". What a key may spend a minute is no number of
// requests.
std::string LimitOfRequests(const absl::Status& status) {
  const google::rpc::ErrorInfo info = ErrorInfoIn(status);
  const auto quota = info.metadata().find("quota");
  const auto limit = info.metadata().find("limit");
  if (quota == info.metadata().end() || limit == info.metadata().end()) {
    return "";
  }
  for (const char* counts : {"max_jobs", "max_queued_jobs", "queue"}) {
    if (quota->second == counts) return limit->second;
  }
  return "";
}

void AddRetry(const absl::Status& status, HttpResponse& response) {
  absl::Duration retry = RetryAfter(status);
  // Another server may take it at once; a client without one is not to hammer.
  if (IsDraining(status)) retry = absl::Seconds(1);
  if (retry <= absl::ZeroDuration()) return;
  const auto seconds =
      static_cast<int64_t>(std::ceil(absl::ToDoubleSeconds(retry)));
  response.headers.emplace_back("retry-after", absl::StrCat(seconds));
  if (response.status != 429) return;
  const std::string limit = LimitOfRequests(status);
  if (!limit.empty()) {
    response.headers.emplace_back("x-ratelimit-limit-requests", limit);
  }
  response.headers.emplace_back("x-ratelimit-remaining-requests", "0");
  response.headers.emplace_back("x-ratelimit-reset-requests",
                                absl::StrCat(seconds, "s"));
}

json BodyOf(DoorKind door, const absl::Status& status) {
  switch (door) {
    case DoorKind::kA1111:
      return A1111Error(status);
    case DoorKind::kJobs:
      return {{"error", RpcError(status)}};
    case DoorKind::kMcp:
      return {{"jsonrpc", "2.0"},
              {"id", nullptr},
              {"error",
               {{"code", -32600}, {"message", std::string(status.message())}}}};
    case DoorKind::kOpenAi:
      break;
  }
  return {{"error", OpenAiError(status)}};
}

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 501:
    case 505:
      return absl::StatusCode::kUnimplemented;
    case 503:
      return absl::StatusCode::kUnavailable;
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return http_status < 500 ? absl::StatusCode::kInvalidArgument
                               : absl::StatusCode::kInternal;
  }
}

}  // namespace

DoorKind DoorOf(absl::string_view path) {
  if (absl::StartsWith(path, "/sdapi/") ||
      absl::StartsWith(path, "/controlnet/")) {
    return DoorKind::kA1111;
  }
  if (path == "/mcp") return DoorKind::kMcp;
  for (const absl::string_view own :
       {"/v1/jobs", "/v1/score", "/v1/scorers", "/v1/loras", "/v1/upscalers"}) {
    if (path == own) return DoorKind::kJobs;
  }
  if (absl::StartsWith(path, "/v1/jobs/")) return DoorKind::kJobs;
  return DoorKind::kOpenAi;
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  google::rpc::Status details;
  if (!status.error_details().empty() &&
      details.ParseFromString(status.error_details()) &&
      details.code() == status.error_code()) {
    return FromRpcStatus(details);
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

std::vector<FieldViolation> ViolationsIn(const absl::Status& status) {
  google::rpc::BadRequest bad_request;
  const auto payload = status.GetPayload(kBadRequestType);
  std::vector<FieldViolation> violations;
  if (!payload.has_value() ||
      !bad_request.ParseFromString(std::string(*payload))) {
    return violations;
  }
  for (const auto& violation : bad_request.field_violations()) {
    violations.push_back({violation.field(), violation.description()});
  }
  return violations;
}

std::string FieldOf(const absl::Status& status) {
  const auto faults = FaultsIn(status);
  if (!faults.empty()) return faults[0].field;
  const std::string reason = ErrorReason(status);
  for (const auto& [code, field] : kFieldsOfReasons) {
    if (reason == code) return field;
  }
  return "";
}

absl::Status WithField(const absl::Status& status, const std::string& field) {
  google::rpc::ErrorInfo info = ErrorInfoIn(status);
  (*info.mutable_metadata())[kField] = field;
  absl::Status named = status;
  named.SetPayload(kErrorInfoType, absl::Cord(info.SerializeAsString()));
  return named;
}

absl::Status NotYet(const std::string& field, const std::string& what) {
  return InvalidFieldsError(
      {{field, absl::StrCat(field, " is given, but this server has no ", what,
                            " yet")}});
}

int HttpStatusOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kFailedPrecondition:
      return 422;
    case absl::StatusCode::kResourceExhausted:
      // Without a hint, trying again is of no use: clients do on 429.
      return RetryAfter(status) > absl::ZeroDuration() ? 429 : 422;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      // A queue that is full is a limit of rate to these clients.
      return ErrorReason(status) == "QUEUE_FULL" ? 429 : 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

json OpenAiError(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return {{"message", std::string(status.message())},
          {"type", OpenAiType(HttpStatusOf(status))},
          {"param", Nullable(FieldOf(status))},
          {"code", Nullable(absl::AsciiStrToLower(reason))}};
}

json RpcError(const absl::Status& status) {
  json error = {{"code", static_cast<int>(status.code())},
                {"status", absl::StatusCodeToString(status.code())},
                {"message", std::string(status.message())},
                {"reason", ErrorReason(status)}};
  json violations = json::array();
  for (const FieldViolation& violation : FaultsIn(status)) {
    violations.push_back(
        {{"field", violation.field}, {"description", violation.description}});
  }
  if (!violations.empty()) error["field_violations"] = violations;
  return error;
}

HttpResponse ErrorResponse(DoorKind door, const absl::Status& status) {
  HttpResponse response = {.status = HttpStatusOf(status),
                           .body = Dump(BodyOf(door, status))};
  if (door == DoorKind::kA1111 && !ViolationsIn(status).empty()) {
    response.status = 422;
  }
  if (response.status == 401) {
    response.headers.emplace_back("www-authenticate", "Bearer");
  }
  AddRetry(status, response);
  return response;
}

HttpResponse ErrorResponse(DoorKind door, int http_status,
                           const std::string& message) {
  HttpResponse response = {
      .status = http_status,
      .body = Dump(BodyOf(door, absl::Status(CodeOf(http_status), message)))};
  return response;
}

std::string Dump(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false,
                    json::error_handler_t::replace);
}

}  // namespace genzo
