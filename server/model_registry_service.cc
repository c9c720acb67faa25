#include "server/model_registry_service.h"

#include <utility>

#include "server/grpc_call.h"
#include "server/job_draft.h"
#include "server/pages.h"

namespace genzo {
absl::StatusOr<v1::ListModelsResponse> ListPage(
    std::vector<v1::Model> models, const v1::ListModelsRequest& request) {
  auto some = PageOf(
      std::move(models), [](const v1::Model& model) { return model.id(); },
      request);
  if (!some.ok()) return some.status();
  v1::ListModelsResponse page;
  for (v1::Model& model : some->items) *page.add_models() = std::move(model);
  page.set_next_page_token(some->next_page_token);
  return page;
}

void ModelRegistryService::Complete(v1::Model& model) const {
  drained_.Tell(model);
  LowerLimits(intake_.limits(), model);
}

grpc::ServerUnaryReactor* ModelRegistryService::ListModels(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::ListModelsRequest request;
  absl::Status status =
      BeginCall(*context, *bytes, authenticator_, /*scope=*/"", request)
          .status();
  if (status.ok()) {
    auto page = ListPage(catalog_.List(), request);
    status = page.status();
    if (page.ok()) {
      for (v1::Model& model : *page->mutable_models()) Complete(model);
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
  absl::Status status =
      BeginCall(*context, *bytes, authenticator_, /*scope=*/"", request)
          .status();
  if (status.ok()) {
    auto model = catalog_.Named(request.id());
    status = model.status();
    if (model.ok()) {
      Complete(*model);
      *answer = ToBytes(*model);
    }
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "GetModel", status, metrics_);
  return reactor;
}

}  // namespace genzo
