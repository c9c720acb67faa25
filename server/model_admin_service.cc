#include "server/model_admin_service.h"

#include "server/grpc_call.h"

namespace genzo {

template <typename Request>
absl::Status ModelAdminService::Check(
    const grpc::CallbackServerContext& context, const grpc::ByteBuffer& bytes,
    Request& request) const {
  const auto caller =
      BeginCall(context, bytes, authenticator_, /*scope=*/"", request);
  if (!caller.ok()) return caller.status();
  const absl::Status may = CheckAdministrator(*caller);
  return may.ok() ? catalog_.Named(request.id()).status() : may;
}

grpc::ServerUnaryReactor* ModelAdminService::LoadModel(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  auto* reactor = context->DefaultReactor();
  v1::LoadModelRequest request;
  const absl::Status checked = Check(*context, *bytes, request);
  if (!checked.ok()) {
    FinishCall(reactor, "LoadModel", checked, metrics_);
    return reactor;
  }
  const std::optional<bool> pinned =
      request.has_pinned() ? std::optional(request.pinned()) : std::nullopt;
  // gRPC keeps the answer until the reactor has finished.
  models_.Load(request.id(), pinned,
               [=, this, id = request.id()](const absl::Status& status) {
                 if (status.ok()) {
                   v1::Model model = *catalog_.Get(id);
                   model.set_state(v1::Model::STATE_RESIDENT);
                   if (pinned.has_value()) model.set_pinned(*pinned);
                   *answer = ToBytes(model);
                 }
                 FinishCall(reactor, "LoadModel", status, metrics_);
               });
  return reactor;
}

grpc::ServerUnaryReactor* ModelAdminService::UnloadModel(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  auto* reactor = context->DefaultReactor();
  v1::UnloadModelRequest request;
  const absl::Status checked = Check(*context, *bytes, request);
  if (!checked.ok()) {
    FinishCall(reactor, "UnloadModel", checked, metrics_);
    return reactor;
  }
  models_.Unload(request.id(),
                 [=, this, id = request.id()](const absl::Status& status) {
                   if (status.ok()) {
                     v1::Model model = *catalog_.Get(id);
                     model.set_state(v1::Model::STATE_UNLOADED);
                     model.set_pinned(false);
                     model.clear_weight_bytes();
                     *answer = ToBytes(model);
                   }
                   FinishCall(reactor, "UnloadModel", status, metrics_);
                 });
  return reactor;
}

}  // namespace genzo
