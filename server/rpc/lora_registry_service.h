#ifndef GENZO_SERVER_RPC_LORA_REGISTRY_SERVICE_H_
#define GENZO_SERVER_RPC_LORA_REGISTRY_SERVICE_H_

#include <vector>

#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/lora_registry.grpc.pb.h"
#include "server/access/authenticator.h"

namespace genzo {

// genzo.v1.LoraRegistry: reads the catalog. Thread-safe.
class LoraRegistryService : public v1::LoraRegistry::WithRawCallbackMethod_List<
                                v1::LoraRegistry::Service> {
 public:
  // All outlive the service.
  LoraRegistryService(const ModelCatalog& catalog,
                      const Authenticator& authenticator, Metrics& metrics)
      : catalog_(catalog), authenticator_(authenticator), metrics_(metrics) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* bytes,
                                 grpc::ByteBuffer* answer) override;

 private:
  const ModelCatalog& catalog_;
  const Authenticator& authenticator_;
  Metrics& metrics_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_LORA_REGISTRY_SERVICE_H_
