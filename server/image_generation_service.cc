#include "server/image_generation_service.h"

#include "absl/strings/escaping.h"
#include "base/logging.h"
#include "server/grpc_call.h"

namespace genzo {

grpc::ServerWriteReactor<grpc::ByteBuffer>* ImageGenerationService::Generate(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  v1::GenerateRequest request;
  const auto caller = BeginCall(*context, *bytes, authenticator_, request);
  if (!caller.ok()) {
    // Escaped: a message may quote the client.
    spdlog::info("refused: {}",
                 absl::Utf8SafeCEscape(caller.status().message()));
    return GenerateReactor::Refuse(context, caller.status(), dependencies_);
  }
  return GenerateReactor::Start(context, request, *caller, dependencies_);
}

}  // namespace genzo
