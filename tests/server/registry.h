#ifndef GENZO_TESTS_SERVER_REGISTRY_H_
#define GENZO_TESTS_SERVER_REGISTRY_H_

#include <string>

#include "absl/status/statusor.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/server.h"

namespace genzo {

// What the server's registry tells of one model.
inline absl::StatusOr<v1::Model> GetModel(const Server& server,
                                          const std::string& id) {
  grpc::ClientContext context;
  v1::GetModelRequest request;
  request.set_id(id);
  v1::Model model;
  const absl::Status status =
      DetailsOf(v1::ModelRegistry::NewStub(server.Channel())
                    ->GetModel(&context, request, &model));
  if (!status.ok()) return status;
  return model;
}

}  // namespace genzo

#endif  // GENZO_TESTS_SERVER_REGISTRY_H_
