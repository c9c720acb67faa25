#ifndef GENZO_SERVER_RPC_GRPC_CALL_H_
#define GENZO_SERVER_RPC_GRPC_CALL_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "google/protobuf/message.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/access/authenticator.h"

// What every handler does first and last. Handlers take raw bytes: gRPC itself
// answers UNIMPLEMENTED without a word to bytes that it cannot parse.

namespace genzo {

// Reads the call's message into `request` and says who calls, or why it is
// refused: see Authenticator, CheckScope (any will do if `scope` is empty) and
// ParseRequest, in this order. The log tells of refusals.
absl::StatusOr<Caller> BeginCall(const grpc::CallbackServerContext& context,
                                 const grpc::ByteBuffer& bytes,
                                 const Authenticator& authenticator,
                                 const std::string& scope,
                                 google::protobuf::Message& request);

// The date of the call's deadline, by the clock; infinite without one. (That
// which gRPC tells is another while the clock has not seen yet that the
// machine's date was set, which takes Abseil two seconds.)
absl::Time DeadlineOf(const grpc::CallbackServerContext& context,
                      const Clock& clock);

// `message` as it travels.
grpc::ByteBuffer ToBytes(const google::protobuf::Message& message);

// Tells clients that retry by themselves when to, if `status` says when. Before
// the call is finished.
void TellRetry(const absl::Status& status,
               grpc::CallbackServerContext& context);

// Ends a unary call and counts it.
void FinishCall(grpc::CallbackServerContext* context,
                grpc::ServerUnaryReactor* reactor, const std::string& method,
                const absl::Status& status, Metrics& metrics);

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_GRPC_CALL_H_
