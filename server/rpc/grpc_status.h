#ifndef GENZO_SERVER_RPC_GRPC_STATUS_H_
#define GENZO_SERVER_RPC_GRPC_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace genzo {

// The status as gRPC carries it, with google.rpc details in the trailers.
grpc::Status ToGrpcStatus(const absl::Status& status);

// "OK", "INVALID_ARGUMENT", ...
std::string GrpcCodeName(grpc::StatusCode code);

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_GRPC_STATUS_H_
