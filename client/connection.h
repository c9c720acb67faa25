#ifndef GENZO_CLIENT_CONNECTION_H_
#define GENZO_CLIENT_CONNECTION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/channel.h"

namespace genzo {

// A channel to `server`, "host:port", as the environment says, so that no key
// is on a command line for others to see:
//   GENZO_API_KEY    sent with every call
//   GENZO_TENANT     likewise, of a key that names tenants: whose call it is
//   GENZO_CA_FILE    PEM: use TLS, and trust these; "system": those of the
//                    system
//   GENZO_CERT_FILE, GENZO_CERT_KEY_FILE   PEM: what to show a server that asks
// Without a port it is 50051. CheckEnvironment() comes before: a file that
// cannot be read is as one without anything in it.
std::shared_ptr<grpc::Channel> Connect(const std::string& server);

// Whether what the environment sends can be sent and, if it asks for TLS, its
// files can be used: OK, or INVALID_ARGUMENT naming the variable and the file.
absl::Status CheckEnvironment();

// Whether the environment asks for TLS.
bool UsesTls();

}  // namespace genzo

#endif  // GENZO_CLIENT_CONNECTION_H_
