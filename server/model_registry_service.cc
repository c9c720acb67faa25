#include "server/model_registry_service.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "server/grpc_call.h"

namespace genzo {
namespace {

constexpr int32_t kMaxPageSize = 1000;

}  // namespace

absl::StatusOr<v1::ListModelsResponse> ListPage(
    std::vector<v1::Model> models, const v1::ListModelsRequest& request) {
  if (request.page_size() < 0) {
    return InvalidFieldsError(
        {{"page_size",
          absl::StrCat("page_size ", request.page_size(), " is below 0")}});
  }
  // The token is the last id of the page before.
  std::string after;
  if (!absl::WebSafeBase64Unescape(request.page_token(), &after)) {
    return InvalidFieldsError(
        {{"page_token", "page_token is not a next_page_token of this server"}});
  }
  const int page_size = request.page_size() == 0
                            ? kMaxPageSize
                            : std::min(request.page_size(), kMaxPageSize);
  v1::ListModelsResponse page;
  for (v1::Model& model : models) {
    if (model.id() <= after) continue;
    if (page.models_size() == page_size) {
      page.set_next_page_token(
          absl::WebSafeBase64Escape(page.models(page_size - 1).id()));
      break;
    }
    *page.add_models() = std::move(model);
  }
  return page;
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
      for (v1::Model& model : *page->mutable_models()) drained_.Tell(model);
      *answer = ToBytes(*page);
    }
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(reactor, "ListModels", status, metrics_);
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
      drained_.Tell(*model);
      *answer = ToBytes(*model);
    }
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(reactor, "GetModel", status, metrics_);
  return reactor;
}

}  // namespace genzo
