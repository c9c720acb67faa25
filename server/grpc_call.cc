#include "server/grpc_call.h"

#include <vector>

#include "base/errors.h"
#include "base/logging.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/proto_buffer_writer.h"
#include "grpcpp/support/slice.h"
#include "server/grpc_status.h"
#include "server/request_parser.h"

namespace genzo {
namespace {

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

absl::StatusOr<Caller> CallerOf(const CallFacts& facts,
                                const grpc::ByteBuffer& bytes,
                                const Authenticator& authenticator,
                                const std::string& scope,
                                google::protobuf::Message& request) {
  auto caller = authenticator.Authenticate(facts);
  if (!caller.ok()) return caller.status();
  const auto trace = facts.metadata.find("traceparent");
  if (trace != facts.metadata.end()) {
    caller->trace = ParseTraceparent(trace->second);
  }
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
    LogEvent(spdlog::level::info, "refused",
             {{"request", request.GetDescriptor()->name()},
              {"peer", facts.peer},
              {"reason", ErrorReason(caller.status())},
              {"message", std::string(caller.status().message())}});
  }
  return caller;
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

void FinishCall(grpc::ServerUnaryReactor* reactor, const std::string& method,
                const absl::Status& status, Metrics& metrics) {
  const grpc::Status grpc_status = ToGrpcStatus(status);
  metrics.CountRequest(method, GrpcCodeName(grpc_status.error_code()));
  reactor->Finish(grpc_status);
}

}  // namespace genzo
