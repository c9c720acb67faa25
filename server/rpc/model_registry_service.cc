#include "server/rpc/model_registry_service.h"

#include <utility>

#include "server/access/quotas.h"
#include "server/jobs/job_draft.h"
#include "server/rpc/grpc_call.h"
#include "server/rpc/pages.h"

namespace genzo {
absl::StatusOr<v1::ListModelsResponse> ListPage(
    std::vector<v1::Model> models, const v1::ListModelsRequest& request) {
  return AnswerOf<v1::ListModelsResponse>(
      PageOf(
          std::move(models), [](const v1::Model& model) { return model.id(); },
          request),
      [](auto& page, v1::Model model) {
        *page.add_models() = std::move(model);
      });
}

void ModelRegistryService::Complete(const Caller& caller,
                                    v1::Model& model) const {
  drained_.Tell(model);
  LowerLimits(intake_.limits(), model);
  if (caller.grant != nullptr) LowerLimits(*caller.grant, model);
}

grpc::ServerUnaryReactor* ModelRegistryService::ListModels(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::ListModelsRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, /*scope=*/"", request);
  absl::Status status = caller.status();
  if (status.ok()) {
    std::vector<v1::Model> models = catalog_.List();
    std::erase_if(models, [&](const v1::Model& model) {
      return caller->grant != nullptr &&
             !CheckGrantModel(*caller->grant, model.id()).ok();
    });
    auto page = ListPage(std::move(models), request);
    status = page.status();
    if (page.ok()) {
      for (v1::Model& model : *page->mutable_models()) Complete(*caller, model);
      *answer = ToBytes(*page);
    }
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "ListModels", status, metrics_);
  return reactor;
}

grpc::ServerUnaryReactor* ModelRegistryService::GetModel(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::GetModelRequest request;
  const auto caller =
      BeginCall(*context, *bytes, authenticator_, /*scope=*/"", request);
  absl::Status status = caller.status();
  if (status.ok() && caller->grant != nullptr) {
    status = CheckGrantModel(*caller->grant, request.id());
  }
  if (status.ok()) {
    auto model = catalog_.Named(request.id());
    status = model.status();
    if (model.ok()) {
      Complete(*caller, *model);
      *answer = ToBytes(*model);
    }
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "GetModel", status, metrics_);
  return reactor;
}

}  // namespace genzo
