#ifndef GENZO_SERVER_MODEL_REGISTRY_SERVICE_H_
#define GENZO_SERVER_MODEL_REGISTRY_SERVICE_H_

#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/model_registry.grpc.pb.h"

namespace genzo {

// genzo.v1.ModelRegistry: reads the catalog. Thread-safe.
class ModelRegistryService : public v1::ModelRegistry::CallbackService {
 public:
  // Both outlive the service.
  ModelRegistryService(const ModelCatalog& catalog, Metrics& metrics)
      : catalog_(catalog), metrics_(metrics) {}

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                   const std::string& method,
                                   const absl::Status& status);

  const ModelCatalog& catalog_;
  Metrics& metrics_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_MODEL_REGISTRY_SERVICE_H_
