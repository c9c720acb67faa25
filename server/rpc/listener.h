#ifndef GENZO_SERVER_RPC_LISTENER_H_
#define GENZO_SERVER_RPC_LISTENER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rpc/connection_shares.h"

namespace genzo {

// Raises the soft limit of open descriptors to the hard one and returns it.
int RaiseDescriptorLimit();

// Of `limit` descriptors, how many there may be with connections: the rest is
// for files and for whatever else the process opens.
int ConnectionCap(int limit);

// Of those, the HTTP door's: `wanted`, or a quarter if that is less.
int HttpConnectionCap(int wanted, int limit);

// Accepts TCP connections on a thread of its own and hands them on. gRPC's own
// listener gives up for good once the process is out of descriptors; this one
// closes connections above a cap at once, so that their clients hear of it, and
// goes on after any failure to accept.
class Listener {
 public:
  // Takes the descriptor, which is the callee's to close. On the thread.
  using Accepted = std::function<void(int descriptor)>;

  // Listens on "host:port"; port 0 takes a free one. Nothing is accepted before
  // Start(). UNAVAILABLE with the reason if the address cannot be used. A
  // connection is closed if with it `cap` descriptors or more are open, or if a
  // network that it is of has its share of that (ConnectionShares).
  static absl::StatusOr<std::unique_ptr<Listener>> Create(
      const std::string& address, int cap);
  // Stops.
  ~Listener();

  void Start(Accepted accepted);
  // Accepts nothing more and frees the address.
  void Stop();

  int port() const { return port_; }

 private:
  explicit Listener(int cap) : cap_(cap), shares_(cap) {}
  absl::Status Listen(const std::string& address);
  void Loop();
  // False if it could not and should be left alone for a while.
  bool AcceptOne(int socket);

  const int cap_;
  int port_ = 0;
  std::vector<int> sockets_;
  int stop_read_ = -1;  // becomes readable when it is to stop
  int stop_write_ = -1;
  ConnectionShares shares_;  // the thread's
  bool was_full_ = false;    // the last time, on the thread
  Accepted accepted_;
  std::thread thread_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_LISTENER_H_
