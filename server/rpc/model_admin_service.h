#ifndef GENZO_SERVER_RPC_MODEL_ADMIN_SERVICE_H_
#define GENZO_SERVER_RPC_MODEL_ADMIN_SERVICE_H_

#include <string>

#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/model_admin.grpc.pb.h"
#include "queue/model_control.h"
#include "server/access/authenticator.h"
#include "server/drained_models.h"

namespace genzo {

// What is said of a model that has left memory and is in `state`, also of one
// that nobody knows any more, as its files have left their folder.
v1::Model FreedModel(const ModelCatalog& catalog, const std::string& id,
                     v1::Model::State state);

// genzo.v1.ModelAdmin: passes an administrator's orders on to the pool.
// Thread-safe.
class ModelAdminService
    : public v1::ModelAdmin::WithRawCallbackMethod_LoadModel<
          v1::ModelAdmin::WithRawCallbackMethod_UnloadModel<
              v1::ModelAdmin::WithRawCallbackMethod_DrainModel<
                  v1::ModelAdmin::Service>>> {
 public:
  // All outlive the service.
  ModelAdminService(const ModelCatalog& catalog, ModelControl& models,
                    const Authenticator& authenticator, Metrics& metrics,
                    DrainedModels& drained)
      : catalog_(catalog),
        models_(models),
        authenticator_(authenticator),
        metrics_(metrics),
        drained_(drained) {}

  grpc::ServerUnaryReactor* LoadModel(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* bytes,
                                      grpc::ByteBuffer* answer) override;
  grpc::ServerUnaryReactor* UnloadModel(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* bytes,
                                        grpc::ByteBuffer* answer) override;
  grpc::ServerUnaryReactor* DrainModel(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* bytes,
                                       grpc::ByteBuffer* answer) override;

 private:
  // Reads `request`; OK if the caller may give orders and its model is known.
  template <typename Request>
  absl::Status Check(const grpc::CallbackServerContext& context,
                     const grpc::ByteBuffer& bytes, Request& request) const;
  // Has the pool free the model; the answer says that it is in `state`.
  void Free(const std::string& id, v1::Model::State state,
            const std::string& method, grpc::CallbackServerContext* context,
            grpc::ServerUnaryReactor* reactor, grpc::ByteBuffer* answer);

  const ModelCatalog& catalog_;
  ModelControl& models_;
  const Authenticator& authenticator_;
  Metrics& metrics_;
  DrainedModels& drained_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_MODEL_ADMIN_SERVICE_H_
