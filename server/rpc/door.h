#ifndef GENZO_SERVER_RPC_DOOR_H_
#define GENZO_SERVER_RPC_DOOR_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "server/rpc/listener.h"
#include "server/rpc/server_certificate.h"

namespace genzo {

// When a door pings connections, and when it closes them.
struct ConnectionTimes {
  // From the connection to its first words: one that says nothing costs a
  // descriptor.
  absl::Duration handshake = absl::Seconds(20);
  // One that was silent for so long is asked whether it lives.
  absl::Duration ping_after = absl::Minutes(1);
  // Clients that ping more often than so are sent away; those who do it every
  // 20 s have room.
  absl::Duration client_pings = absl::Seconds(10);
  // Then clients are told to connect anew, so that balancers that know
  // connections only spread them; calls under way may go on for as long as a
  // job may.
  absl::Duration age = absl::Minutes(30);
  absl::Duration age_grace = absl::Hours(24);
};

// How a door treats connections and messages.
struct DoorOptions {
  int max_message_bytes = 24 << 20;
  int max_calls = 1024;  // at once, of a connection
  // A peer that does not answer a ping for so long is dead. A suspended reader
  // does not either, and is not to be closed before it is given up.
  absl::Duration reader_timeout = absl::Minutes(5);
  ConnectionTimes times = {};
  int other_connections = 0;  // that the process may have beside the door's
  // What secures it, and outlives it; null: nothing does.
  const ServerCertificate* certificate = nullptr;
  // What gRPC brings itself. Neither asks for a key.
  bool reflection = true;  // clients may ask which services and messages
  bool channelz = false;   // of all connections and calls of the process
};

// Services on an address of their own, with the standard health service and
// what else of gRPC's the options name. Thread-safe.
class Door {
 public:
  // Listens; nobody is let in before Open(). The services outlive the door.
  // UNAVAILABLE if the address cannot be used.
  static absl::StatusOr<std::unique_ptr<Door>> Create(
      const std::string& address, const DoorOptions& options,
      const std::vector<grpc::Service*>& services);

  void Open();

  // What the health service says of "" and of `services` by name.
  void SetServing(bool serving, const std::vector<std::string>& services);

  // Refuses new calls, waits for those under way until `deadline`, then breaks
  // them off.
  void Shutdown(absl::Time deadline);

  int port() const { return listener_->port(); }
  // To the same services, without a socket; works until Shutdown().
  std::shared_ptr<grpc::Channel> InProcessChannel() {
    return server_->InProcessChannel({});
  }

 private:
  Door() = default;

  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<Listener> listener_;  // last: its thread uses the acceptor
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_DOOR_H_
