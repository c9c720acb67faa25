#include "server/rpc/upscaling_service.h"

#include "server/rpc/grpc_call.h"
#include "server/rpc/pages.h"

namespace genzo {
namespace {

constexpr StreamKind kUpscaleStream = {"Upscale", false};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* UpscalingService::Upscale(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  v1::UpscaleRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeGenerate, request);
  if (!caller.ok()) {
    return GenerateReactor::Refuse(context, kUpscaleStream, caller.status(),
                                   dependencies_);
  }
  const absl::Time by = DeadlineOf(*context, dependencies_.clock);
  return GenerateReactor::Start(
      context, kUpscaleStream,
      [&](const ReaderListener& listener) {
        return intake_.SubmitUpscaling(request, *caller, by, listener);
      },
      dependencies_);
}

grpc::ServerUnaryReactor* UpscalingService::ListUpscalers(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::ListUpscalersRequest request;
  absl::Status status =
      BeginCall(*context, *bytes, authenticator_, /*scope=*/"", request)
          .status();
  if (status.ok()) {
    const auto list = AnswerOf<v1::ListUpscalersResponse>(
        PageOf(
            intake_.upscalers().List(),
            [](const v1::Upscaler& one) { return one.name(); }, request),
        [](auto& all, v1::Upscaler one) {
          *all.add_upscalers() = std::move(one);
        });
    status = list.status();
    if (list.ok()) *answer = ToBytes(*list);
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "ListUpscalers", status, dependencies_.metrics);
  return reactor;
}

}  // namespace genzo
