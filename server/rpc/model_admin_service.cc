#include "server/rpc/model_admin_service.h"

#include "base/errors.h"
#include "base/logging.h"
#include "server/rpc/grpc_call.h"

namespace genzo {

v1::Model FreedModel(const ModelCatalog& catalog, const std::string& id,
                     v1::Model::State state) {
  v1::Model model = catalog.Get(id).value_or(v1::Model());
  model.set_id(id);
  model.set_state(state);
  model.set_pinned(false);
  model.clear_weight_bytes();
  return model;
}

template <typename Request>
absl::Status ModelAdminService::Check(
    const grpc::CallbackServerContext& context, const grpc::ByteBuffer& bytes,
    Request& request) const {
  const auto caller =
      BeginCall(context, bytes, authenticator_, /*scope=*/"", request);
  if (!caller.ok()) return caller.status();
  const absl::Status may = CheckAdministrator(*caller);
  LogEvent(spdlog::level::info,
           may.ok() ? "administration" : "administration refused",
           {{"request", request.GetDescriptor()->name()},
            {"model", request.id()},
            {"peer", context.peer()},
            {"tenant", caller->tenant},
            {"key", KeyIdOf(caller->grant)},
            {"reason", ErrorReason(may)}});
  return may.ok() ? catalog_.Named(request.id()).status() : may;
}

grpc::ServerUnaryReactor* ModelAdminService::LoadModel(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  auto* reactor = context->DefaultReactor();
  v1::LoadModelRequest request;
  const absl::Status checked = Check(*context, *bytes, request);
  if (!checked.ok()) {
    FinishCall(context, reactor, "LoadModel", checked, metrics_);
    return reactor;
  }
  const std::optional<bool> pinned =
      request.has_pinned() ? std::optional(request.pinned()) : std::nullopt;
  // gRPC keeps the answer until the reactor has finished.
  models_.Load(request.id(), pinned,
               [=, this, id = request.id()](absl::Status status) {
                 // It may have left its folder meanwhile.
                 auto model = catalog_.Get(id);
                 status.Update(model.status());
                 if (status.ok()) {
                   drained_.Set(id, false);
                   model->set_state(v1::Model::STATE_RESIDENT);
                   if (pinned.has_value()) model->set_pinned(*pinned);
                   *answer = ToBytes(*model);
                 }
                 FinishCall(context, reactor, "LoadModel", status, metrics_);
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
    FinishCall(context, reactor, "UnloadModel", checked, metrics_);
    return reactor;
  }
  Free(request.id(), v1::Model::STATE_UNLOADED, "UnloadModel", context, reactor,
       answer);
  return reactor;
}

grpc::ServerUnaryReactor* ModelAdminService::DrainModel(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  auto* reactor = context->DefaultReactor();
  v1::DrainModelRequest request;
  const absl::Status checked = Check(*context, *bytes, request);
  if (!checked.ok()) {
    FinishCall(context, reactor, "DrainModel", checked, metrics_);
    return reactor;
  }
  // First, so that no job comes behind those that the pool waits for.
  drained_.Set(request.id(), true);
  Free(request.id(), v1::Model::STATE_DRAINED, "DrainModel", context, reactor,
       answer);
  return reactor;
}

void ModelAdminService::Free(const std::string& id, v1::Model::State state,
                             const std::string& method,
                             grpc::CallbackServerContext* context,
                             grpc::ServerUnaryReactor* reactor,
                             grpc::ByteBuffer* answer) {
  models_.Unload(id, [=, this](const absl::Status& status) {
    if (status.ok()) {
      *answer = ToBytes(FreedModel(catalog_, id, state));
    }
    FinishCall(context, reactor, method, status, metrics_);
  });
}

}  // namespace genzo
