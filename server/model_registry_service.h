#ifndef GENZO_SERVER_MODEL_REGISTRY_SERVICE_H_
#define GENZO_SERVER_MODEL_REGISTRY_SERVICE_H_

#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "queue/model_control.h"

namespace genzo {

// genzo.v1.ModelRegistry: reads the catalog, and passes orders on to the pool.
// Thread-safe.
class ModelRegistryService : public v1::ModelRegistry::CallbackService {
 public:
  // All outlive the service.
  ModelRegistryService(const ModelCatalog& catalog, ModelControl& models,
                       Metrics& metrics)
      : catalog_(catalog), models_(models), metrics_(metrics) {}

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context,
                                      const v1::LoadModelRequest* request,
                                      v1::LoadModelResponse* response) override;
  grpc::ServerUnaryReactor* UnloadModel(
      grpc::CallbackServerContext* context,
      const v1::UnloadModelRequest* request,
      v1::UnloadModelResponse* response) override;

 private:
  // The model `id` of a request, or why there is none.
  absl::StatusOr<v1::Model> Find(const std::string& id) const;
  grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                   const std::string& method,
                                   const absl::Status& status);
  void FinishLater(grpc::ServerUnaryReactor* reactor, const std::string& method,
                   const absl::Status& status);

  const ModelCatalog& catalog_;
  ModelControl& models_;
  Metrics& metrics_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_MODEL_REGISTRY_SERVICE_H_
