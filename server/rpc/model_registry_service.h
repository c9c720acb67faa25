#ifndef GENZO_SERVER_RPC_MODEL_REGISTRY_SERVICE_H_
#define GENZO_SERVER_RPC_MODEL_REGISTRY_SERVICE_H_

#include <vector>

#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "server/access/authenticator.h"
#include "server/drained_models.h"
#include "server/jobs/job_intake.h"

namespace genzo {

// The page of `models`, which are sorted by id, that `request` asks for.
// INVALID_ARGUMENT for a negative size or a strange token. Pure.
absl::StatusOr<v1::ListModelsResponse> ListPage(
    std::vector<v1::Model> models, const v1::ListModelsRequest& request);

// genzo.v1.ModelRegistry: reads the catalog; models have the limits that hold
// now for the caller, who is told of those alone that he may use. Thread-safe.
class ModelRegistryService
    : public v1::ModelRegistry::WithRawCallbackMethod_ListModels<
          v1::ModelRegistry::WithRawCallbackMethod_GetModel<
              v1::ModelRegistry::Service>> {
 public:
  // All outlive the service.
  ModelRegistryService(const ModelCatalog& catalog,
                       const Authenticator& authenticator, Metrics& metrics,
                       const DrainedModels& drained, const JobIntake& intake)
      : catalog_(catalog),
        authenticator_(authenticator),
        metrics_(metrics),
        drained_(drained),
        intake_(intake) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* bytes,
                                       grpc::ByteBuffer* answer) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* bytes,
                                     grpc::ByteBuffer* answer) override;

 private:
  // What only the front end knows of `model`, for `caller`.
  void Complete(const Caller& caller, v1::Model& model) const;

  const ModelCatalog& catalog_;
  const Authenticator& authenticator_;
  Metrics& metrics_;
  const DrainedModels& drained_;
  const JobIntake& intake_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_MODEL_REGISTRY_SERVICE_H_
