#include "server/rpc/lora_registry_service.h"

#include <utility>

#include "server/rpc/grpc_call.h"
#include "server/rpc/pages.h"

namespace genzo {

grpc::ServerUnaryReactor* LoraRegistryService::List(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::LoraRegistryListRequest request;
  absl::Status status =
      BeginCall(*context, *bytes, authenticator_, /*scope=*/"", request)
          .status();
  if (status.ok() && !request.model().empty()) {
    status = catalog_.Named(request.model()).status();
  }
  if (status.ok()) {
    auto page = PageOf(
        catalog_.loras().List(request.model()),
        [](const v1::Lora& lora) { return lora.name(); }, request);
    status = page.status();
    v1::LoraRegistryListResponse response;
    if (page.ok()) {
      for (v1::Lora& lora : page->items) {
        *response.add_loras() = std::move(lora);
      }
      response.set_next_page_token(page->next_page_token);
      *answer = ToBytes(response);
    }
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "ListLoras", status, metrics_);
  return reactor;
}

}  // namespace genzo
