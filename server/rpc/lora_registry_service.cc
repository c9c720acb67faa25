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
    const auto list = AnswerOf<v1::LoraRegistryListResponse>(
        PageOf(
            catalog_.loras().List(request.model()),
            [](const v1::Lora& lora) { return lora.name(); }, request),
        [](auto& all, v1::Lora lora) { *all.add_loras() = std::move(lora); });
    status = list.status();
    if (list.ok()) *answer = ToBytes(*list);
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "ListLoras", status, metrics_);
  return reactor;
}

}  // namespace genzo
