#ifndef GENZO_CLIENT_MODEL_LIST_H_
#define GENZO_CLIENT_MODEL_LIST_H_

#include "genzo/v1/model_registry.grpc.pb.h"

namespace genzo {

// Asks for every page of the server's models and appends them to `models`.
grpc::Status ListModels(v1::ModelRegistry::Stub& stub,
                        v1::ListModelsResponse& models);

}  // namespace genzo

#endif  // GENZO_CLIENT_MODEL_LIST_H_
