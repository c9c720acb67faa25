#include "server/rpc/grpc_call.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "grpc/support/time.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/proto_buffer_writer.h"
#include "grpcpp/support/slice.h"
#include "server/resolve/request_parser.h"
#include "server/rpc/grpc_status.h"

namespace genzo {
namespace {

constexpr size_t kMostTold = 128;

std::string ToString(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) return "";  // an empty message
  std::string text;
  text.reserve(bytes.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

CallFacts FactsOf(const grpc::CallbackServerContext& context) {
  CallFacts facts;
  facts.peer = context.peer();
  for (const auto& [key, value] : context.client_metadata()) {
    facts.metadata.emplace(std::string(key.data(), key.size()),
                           std::string(value.data(), value.size()));
  }
  return facts;
}

// The start of what the caller says under `key`; empty if it says nothing.
std::string ToldBy(const CallFacts& facts, const std::string& key) {
  const auto found = facts.metadata.find(key);
  return found == facts.metadata.end() ? ""
                                       : found->second.substr(0, kMostTold);
}

void LogRefusal(const std::string& request, const CallFacts& facts,
                const absl::Status& status, LogShare& share) {
  const auto left_out = share.Take(Clock::Real().Now());
  if (!left_out.has_value()) return;
  LogEvent(spdlog::level::info, "refused",
           {{"request", request},
            {"x_request_id", ToldBy(facts, "x-request-id")},
            {"trace", TraceIdOf(ToldBy(facts, "traceparent"))},
            {"peer", facts.peer},
            // The HTTP door says for whom it asks; others say what they like.
            {"forwarded_for", ToldBy(facts, "x-forwarded-for")},
            {"reason", ErrorReason(status)},
            {"message", std::string(status.message())},
            {"left_out", *left_out > 0 ? absl::StrCat(*left_out) : ""}});
}

absl::StatusOr<Caller> CallerOf(const CallFacts& facts,
                                const grpc::ByteBuffer& bytes,
                                const Authenticator& authenticator,
                                const std::string& scope,
                                google::protobuf::Message& request) {
  auto caller = authenticator.Authenticate(facts);
  if (!caller.ok()) return caller.status();
  caller->trace = ParseTraceparent(ToldBy(facts, "traceparent"));
  caller->x_request_id = ToldBy(facts, "x-request-id");
  absl::Status status =
      scope.empty() ? absl::OkStatus() : CheckScope(*caller, scope);
  if (status.ok()) status = ParseRequest(ToString(bytes), request);
  if (!status.ok()) return status;
  return caller;
}

}  // namespace

absl::StatusOr<Caller> BeginCall(const grpc::CallbackServerContext& context,
                                 const grpc::ByteBuffer& bytes,
                                 const Authenticator& authenticator,
                                 const std::string& scope,
                                 google::protobuf::Message& request) {
  const CallFacts facts = FactsOf(context);
  auto caller = CallerOf(facts, bytes, authenticator, scope, request);
  if (!caller.ok()) {
    LogRefusal(request.GetDescriptor()->name(), facts, caller.status(),
               authenticator.refusals());
  }
  return caller;
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context,
                      const Clock& clock) {
  const gpr_timespec deadline = context.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return absl::InfiniteFuture();
  }
  const gpr_timespec left =
      gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  return clock.Date() + absl::Seconds(left.tv_sec) +
         absl::Nanoseconds(left.tv_nsec);
}

grpc::ByteBuffer ToBytes(const google::protobuf::Message& message) {
  grpc::ByteBuffer bytes;
  bool own = false;
  // Fails only for messages over 2 GB.
  (void)grpc::GenericSerialize<grpc::ProtoBufferWriter,
                               google::protobuf::Message>(message, &bytes,
                                                          &own);
  return bytes;
}

void TellRetry(const absl::Status& status,
               grpc::CallbackServerContext& context) {
  const absl::Duration retry_after = RetryAfter(status);
  if (retry_after == absl::ZeroDuration()) return;
  context.AddTrailingMetadata(
      "grpc-retry-pushback-ms",
      absl::StrCat(absl::ToInt64Milliseconds(retry_after)));
}

void FinishCall(grpc::CallbackServerContext* context,
                grpc::ServerUnaryReactor* reactor, const std::string& method,
                const absl::Status& status, Metrics& metrics) {
  TellRetry(status, *context);
  const grpc::Status grpc_status = ToGrpcStatus(status);
  metrics.CountRequest(method, GrpcCodeName(grpc_status.error_code()));
  reactor->Finish(grpc_status);
}

}  // namespace genzo
