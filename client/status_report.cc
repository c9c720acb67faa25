#include "client/status_report.h"

#include <cmath>
#include <iostream>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/option_names.h"
#include "google/rpc/error_details.pb.h"

namespace genzo {

namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return details;
}

// What is wrong with each field, with the option that sets it where that is
// called otherwise; nullopt if the status is not of fields.
std::optional<std::string> WithOptions(const google::rpc::Status& details) {
  google::rpc::BadRequest bad_request;
  for (const auto& detail : details.details()) {
    if (detail.UnpackTo(&bad_request)) break;
  }
  std::vector<std::string> sentences;
  for (const auto& violation : bad_request.field_violations()) {
    const std::string option = OptionOf(violation.field());
    sentences.push_back(absl::StrCat(violation.description(),
                                     option.empty() ? "" : " (", option,
                                     option.empty() ? "" : ")"));
  }
  if (sentences.empty()) return std::nullopt;
  return absl::StrJoin(sentences, "; ");
}

constexpr absl::string_view kHttpDoor = "http1.x server";

// Whether something answers that does not know the call: gRPC's own words.
bool IsWrongAddress(const grpc::Status& status) {
  if (DetailsOf(status).code() != 0) return false;
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
         (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
          absl::StrContains(status.error_message(), kHttpDoor));
}

// What a failed connection may be for; empty where nobody knows.
std::string HintOf(const std::string& message) {
  const auto says = [&](absl::string_view words) {
    return absl::StrContains(message, words);
  };
  if (says(kHttpDoor)) return "; that is an HTTP door";
  if (UsesTls()) {
    return says("WRONG_VERSION_NUMBER")
               ? "; it speaks no TLS: unset GENZO_CA_FILE"
           : says("CERTIFICATE_VERIFY_FAILED")
               ? "; GENZO_CA_FILE does not vouch for its certificate"
               : "";
  }
  return says("Socket closed") || says("Connection reset by peer")
             ? "; if it speaks TLS, set GENZO_CA_FILE"
             : "";
}

}  // namespace

absl::Status ErrorOf(const grpc::Status& status) {
  return FromRpcStatus(DetailsOf(status));
}

ExitStatus ExitStatusOf(const grpc::Status& status) {
  const absl::Status details = ErrorOf(status);
  const std::string reason = ErrorReason(details);
  // Refused at once, for the same reason.
  if (reason == "DEADLINE_UNREACHABLE") return kExitDeadline;
  // Not now and not later.
  if (reason == "DOES_NOT_FIT") return kExitRefused;
  if (IsWrongAddress(status)) return kExitWrongAddress;
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return kExitOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return kExitRefused;
    case grpc::StatusCode::UNAVAILABLE:
      return kExitUnavailable;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      // Memory that ended, or a reader that was too slow, is not a full server:
      // that one says when to come back.
      return RetryAfter(details) > absl::ZeroDuration() ? kExitUnavailable
                                                        : kExitFailed;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kExitDeadline;
    default:
      return kExitFailed;
  }
}

absl::Duration LoadingTime(const grpc::Status& status) {
  const absl::Status details = ErrorOf(status);
  return ErrorReason(details) == "MODEL_LOADING" ? RetryAfter(details)
                                                 : absl::ZeroDuration();
}

std::string Describe(const grpc::Status& status, const std::string& server) {
  const google::rpc::Status details = DetailsOf(status);
  const bool from_genzo = details.code() != 0;
  if (!from_genzo && status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return absl::StrCat("no Genzo server answers at ", server,
                        HintOf(status.error_message()), " (",
                        Printable(status.error_message()), ")");
  }
  std::string text =
      Printable(WithOptions(details).value_or(status.error_message()));
  // gRPC has no words for what a server does not have.
  if (text.empty() && status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::StrCat("the server at ", server,
                        " has no such call there; with admin_listen, orders to "
                        "models have an address of their own, and nothing else "
                        "has it");
  }
  const absl::Duration retry = RetryAfter(FromRpcStatus(details));
  if (from_genzo && retry > absl::ZeroDuration()) {
    absl::StrAppend(&text, "; try again in ",
                    std::ceil(absl::ToDoubleSeconds(retry)), " s");
  }
  return text;
}

ExitStatus ReportFailure(const grpc::Status& status,
                         const std::string& server) {
  std::cerr << "genzo: " << Describe(status, server) << std::endl;
  return ExitStatusOf(status);
}

ExitStatus Fail(absl::string_view fault, ExitStatus end) {
  std::cerr << "genzo: " << Printable(fault) << std::endl;
  return end;
}

}  // namespace genzo
