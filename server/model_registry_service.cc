#include "server/model_registry_service.h"

#include "base/errors.h"
#include "server/grpc_status.h"

namespace genzo {

grpc::ServerUnaryReactor* ModelRegistryService::ListModels(
    grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
    v1::ListModelsResponse* response) {
  for (v1::Model& model : catalog_.List()) {
    *response->add_models() = std::move(model);
  }
  return Finish(context, "ListModels", absl::OkStatus());
}

grpc::ServerUnaryReactor* ModelRegistryService::GetModel(
    grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
    v1::GetModelResponse* response) {
  auto model = Find(request->id());
  if (!model.ok()) return Finish(context, "GetModel", model.status());
  *response->mutable_model() = *std::move(model);
  return Finish(context, "GetModel", absl::OkStatus());
}

grpc::ServerUnaryReactor* ModelRegistryService::LoadModel(
    grpc::CallbackServerContext* context, const v1::LoadModelRequest* request,
    v1::LoadModelResponse* response) {
  const absl::Status found = Find(request->id()).status();
  if (!found.ok()) return Finish(context, "LoadModel", found);
  auto* reactor = context->DefaultReactor();
  const std::optional<bool> pinned =
      request->has_pinned() ? std::optional(request->pinned()) : std::nullopt;
  // gRPC keeps request and response until the reactor has finished.
  models_.Load(request->id(), pinned,
               [=, this, id = request->id()](const absl::Status& status) {
                 if (status.ok()) {
                   v1::Model& model = *response->mutable_model();
                   model = *catalog_.Get(id);
                   model.set_state(v1::Model::STATE_RESIDENT);
                   if (pinned.has_value()) model.set_pinned(*pinned);
                 }
                 FinishLater(reactor, "LoadModel", status);
               });
  return reactor;
}

grpc::ServerUnaryReactor* ModelRegistryService::UnloadModel(
    grpc::CallbackServerContext* context, const v1::UnloadModelRequest* request,
    v1::UnloadModelResponse* response) {
  const absl::Status found = Find(request->id()).status();
  if (!found.ok()) return Finish(context, "UnloadModel", found);
  auto* reactor = context->DefaultReactor();
  models_.Unload(request->id(),
                 [=, this, id = request->id()](const absl::Status& status) {
                   if (status.ok()) {
                     v1::Model& model = *response->mutable_model();
                     model = *catalog_.Get(id);
                     model.set_state(v1::Model::STATE_UNLOADED);
                     model.set_pinned(false);
                     model.clear_weight_bytes();
                   }
                   FinishLater(reactor, "UnloadModel", status);
                 });
  return reactor;
}

absl::StatusOr<v1::Model> ModelRegistryService::Find(
    const std::string& id) const {
  if (id.empty()) return InvalidFieldsError({{"id", "id is empty"}});
  return catalog_.Get(id);
}

grpc::ServerUnaryReactor* ModelRegistryService::Finish(
    grpc::CallbackServerContext* context, const std::string& method,
    const absl::Status& status) {
  auto* reactor = context->DefaultReactor();
  FinishLater(reactor, method, status);
  return reactor;
}

void ModelRegistryService::FinishLater(grpc::ServerUnaryReactor* reactor,
                                       const std::string& method,
                                       const absl::Status& status) {
  const grpc::Status grpc_status = ToGrpcStatus(status);
  metrics_.CountRequest(method, GrpcCodeName(grpc_status.error_code()));
  reactor->Finish(grpc_status);
}

}  // namespace genzo
