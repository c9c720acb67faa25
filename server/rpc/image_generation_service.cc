#include "server/rpc/image_generation_service.h"

#include "server/rpc/grpc_call.h"

namespace genzo {

grpc::ServerWriteReactor<grpc::ByteBuffer>* ImageGenerationService::Generate(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  v1::GenerateRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, kScopeGenerate, request);
  if (!caller.ok()) {
    return GenerateReactor::Refuse(context, kGenerateStream, caller.status(),
                                   dependencies_);
  }
  const absl::Time by = DeadlineOf(*context, dependencies_.clock);
  return GenerateReactor::Start(
      context, kGenerateStream,
      [&](const ReaderListener& listener) {
        return intake_.Submit(request, *caller, by, listener);
      },
      dependencies_);
}

}  // namespace genzo
