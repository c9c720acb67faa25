#ifndef GENZO_TESTS_SERVER_OWN_SERVICES_H_
#define GENZO_TESTS_SERVER_OWN_SERVICES_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"

namespace genzo {

// Calls of the services that gRPC brings itself, by their bytes: Debian has no
// headers of their messages. The answer's first message, or the call's error.
inline absl::StatusOr<std::string> AskByBytes(const std::string& address,
                                              const std::string& method,
                                              const std::string& bytes) {
  grpc::GenericStub stub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status said) {
                   status = std::move(said);
                   done.Notify();
                 });
  done.WaitForNotification();
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        status.error_message());
  }
  std::vector<grpc::Slice> slices;
  response.Dump(&slices);
  std::string text;
  for (const grpc::Slice& part : slices) {
    text.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return text;
}

// The names of the services, among other bytes.
inline absl::StatusOr<std::string> ListServices(const std::string& address) {
  return AskByBytes(
      address, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      std::string("\x3a\0", 2));  // list_services: ""
}
inline absl::StatusOr<std::string> AskChannelz(const std::string& address) {
  return AskByBytes(address, "/grpc.channelz.v1.Channelz/GetServers", "");
}
inline absl::StatusOr<std::string> AskHealth(const std::string& address) {
  return AskByBytes(address, "/grpc.health.v1.Health/Check", "");
}

}  // namespace genzo

#endif  // GENZO_TESTS_SERVER_OWN_SERVICES_H_
