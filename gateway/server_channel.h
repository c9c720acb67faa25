#ifndef GENZO_GATEWAY_SERVER_CHANNEL_H_
#define GENZO_GATEWAY_SERVER_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"

namespace genzo {

// How a door that stands alone secures its way to the server. Paths of PEM
// files, which are read again when they change.
struct ServerTls {
  std::string ca_file;    // whom to trust; "system": as the system does; empty:
                          // no TLS
  std::string cert_file;  // what to show a server that asks; empty: nothing
  std::string key_file;   // given exactly if `cert_file` is
};

// A channel to `server`, "host:port". INVALID_ARGUMENT if options need each
// other, FAILED_PRECONDITION if a file cannot be used; whether there is a
// server, and whose, shows at the first call.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectToServer(
    const std::string& server, const ServerTls& tls);

}  // namespace genzo

#endif  // GENZO_GATEWAY_SERVER_CHANNEL_H_
