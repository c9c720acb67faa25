#include "client/status_report.h"

#include <cmath>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/utf8.h"

namespace genzo {

namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return details;
}

}  // namespace

ExitStatus ExitStatusOf(const grpc::Status& status) {
  const std::string reason = ErrorReason(FromRpcStatus(DetailsOf(status)));
  // Refused at once, for the same reason.
  if (reason == "DEADLINE_UNREACHABLE") return kExitDeadline;
  // Not now and not later.
  if (reason == "DOES_NOT_FIT") return kExitRefused;
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
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return kExitUnavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kExitDeadline;
    default:
      return kExitFailed;
  }
}

std::string Describe(const grpc::Status& status, const std::string& server) {
  const google::rpc::Status details = DetailsOf(status);
  const bool from_genzo = details.code() != 0;
  if (!from_genzo && status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return absl::StrCat("no Genzo server answers at ", server, " (",
                        Printable(status.error_message()), ")");
  }
  std::string text = Printable(status.error_message());
  // gRPC has no words for what a server does not have.
  if (text.empty() && status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::StrCat("the server at ", server,
                        " has no such call there; administrators may have an "
                        "address of their own (admin_listen)");
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

}  // namespace genzo
