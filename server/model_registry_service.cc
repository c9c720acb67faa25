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
  if (request->id().empty()) {
    return Finish(context, "GetModel",
                  InvalidFieldsError({{"id", "id is empty"}}));
  }
  auto model = catalog_.Get(request->id());
  if (!model.ok()) return Finish(context, "GetModel", model.status());
  *response->mutable_model() = *std::move(model);
  return Finish(context, "GetModel", absl::OkStatus());
}

grpc::ServerUnaryReactor* ModelRegistryService::Finish(
    grpc::CallbackServerContext* context, const std::string& method,
    const absl::Status& status) {
  const grpc::Status grpc_status = ToGrpcStatus(status);
  metrics_.CountRequest(method, GrpcCodeName(grpc_status.error_code()));
  auto* reactor = context->DefaultReactor();
  reactor->Finish(grpc_status);
  return reactor;
}

}  // namespace genzo
