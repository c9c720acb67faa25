#include "client/reconnection.h"

#include <algorithm>
#include <array>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/draining.h"
#include "base/errors.h"
#include "client/status_report.h"

namespace genzo {
namespace {

constexpr absl::Duration kLongestRest = absl::Seconds(10);
// What a server says that has the job, or whose successor will: not now. As the
// Python client has it.
constexpr std::array<absl::string_view, 3> kNotNow = {
    kDraining, "TOO_MANY_STREAMS", "RESULTS_BUSY"};

// What a connection looks like that broke. CANCELLED: gRPC's word for a call
// that reaches a server which shuts down; who cancels it here does not ask.
constexpr std::array<grpc::StatusCode, 4> kBroken = {
    grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED,
    grpc::StatusCode::INTERNAL, grpc::StatusCode::UNKNOWN};

// Whether the connection broke, or the server is to be asked again.
bool MayHelpToAskAgain(const grpc::Status& status) {
  const absl::Status error = ErrorOf(status);
  const bool genzo_spoke = !error.ok();
  if (!genzo_spoke) return absl::c_linear_search(kBroken, status.error_code());
  return absl::c_linear_search(kNotNow, ErrorReason(error));
}

}  // namespace

std::optional<absl::Duration> Reconnection::RestAfter(
    const grpc::Status& status) {
  if (!MayHelpToAskAgain(status) || tries_ >= most_tries_) return std::nullopt;
  constexpr int kMostDoublings = 8;
  const absl::Duration doubled = std::min(
      first_rest_ * (1 << std::min(tries_++, kMostDoublings)), kLongestRest);
  const absl::Duration rest = std::max(doubled, RetryAfter(ErrorOf(status)));
  return rest * absl::Uniform(random_, 0.8, 1.2);
}

std::string DescribeBreak(const grpc::Status& status,
                          const std::string& server) {
  if (!ErrorOf(status).ok()) return Describe(status, server);
  return absl::StrCat("the connection to ", server, " broke (",
                      status.error_message(), ")");
}

bool IsEndOfServer(const v1::JobEvent& event) {
  return event.has_ended() && event.ended().has_status() &&
         IsDraining(FromRpcStatus(event.ended().status()));
}

}  // namespace genzo
