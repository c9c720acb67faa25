#include "client/model_list.h"

namespace genzo {

grpc::Status ListModels(v1::ModelRegistry::Stub& stub,
                        v1::ListModelsResponse& models) {
  v1::ListModelsRequest request;
  do {
    grpc::ClientContext context;
    v1::ListModelsResponse page;
    const grpc::Status status = stub.ListModels(&context, request, &page);
    if (!status.ok()) return status;
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    models.MergeFrom(page);
  } while (!request.page_token().empty());
  return grpc::Status::OK;
}

}  // namespace genzo
