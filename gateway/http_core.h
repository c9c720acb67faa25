#ifndef GENZO_GATEWAY_HTTP_CORE_H_
#define GENZO_GATEWAY_HTTP_CORE_H_

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "gateway/http.h"
#include "gateway/http_certificate.h"
#include "gateway/http_limits.h"
#include "gateway/http_peer.h"

// What the server and its connections share. Seen by the files of http_* alone,
// because Boost's headers cost seconds.

namespace genzo {

// One connection, plain or TLS.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  virtual void Start() = 0;
  // Ends it once nothing is being answered; one that is still sending a request
  // ends now. Thread-safe.
  virtual void CloseWhenIdle() = 0;
  // Ends it now. Thread-safe.
  virtual void CloseNow() = 0;
  // How long its client has been too slow in sending a request, as HttpLimits
  // say; zero if it is not. Thread-safe.
  virtual std::chrono::nanoseconds SlowFor(
      std::chrono::steady_clock::time_point now) const = 0;
};

// Outlives every connection. It owns them while they are open.
class HttpCore {
 public:
  HttpCore(const HttpLimits& limits, HttpHandler handler,
           HttpHeadersForOrigin headers_for_origin)
      : limits(limits),
        handler(std::move(handler)),
        headers_for_origin(std::move(headers_for_origin)) {}

  // Empty if there may be one more of `peer`, else why not. If all are open
  // that may be, one is given up for it, the one that has rested longest or, if
  // none rests, that has been slow longest: without that, clients that keep
  // connections they do not use would lock everybody out. If the peer has its
  // share, it is one of the peer's own. With places for 4 and shares of 2:
  //
  //   open     a newcomer of
  //   A A B    A: the one of A's that rests longest, else its slowest; if it
  //            has none of these, A is refused. B: a place is free
  //   A A B B  C: the one of all that rests longest, else the slowest
  std::string MakeRoom(const HttpPeer& peer);
  void Add(const std::shared_ptr<HttpConnection>& connection,
           const HttpPeer& peer);
  void Remove(HttpConnection* connection);
  // The connection waits for another request, and may be given up.
  void Rest(HttpConnection* connection);
  // A request begins on it, or has been read. False if it was given up before.
  bool Wake(HttpConnection* connection);
  std::vector<std::shared_ptr<HttpConnection>> connections() const;
  // Waits until none is left; false if that takes longer.
  bool WaitUntilEmpty(absl::Duration timeout) const;

  const HttpLimits limits;
  const HttpHandler handler;
  const HttpHeadersForOrigin headers_for_origin;  // may be null
  std::unique_ptr<HttpCertificate> certificate;   // null: no TLS
  std::atomic<int64_t> body_bytes{0};  // of requests that are being read
  std::atomic<bool> is_stopping{false};
  boost::asio::io_context io;

 private:
  struct Open {
    std::shared_ptr<HttpConnection> connection;
    std::string network;  // its peer's
    uint64_t rest = 0;    // its number in resting_; 0: it does not rest
  };

  using OpenOnes = std::map<HttpConnection*, Open>;

  // The most connections that `peer` may have.
  int ShareOf(const HttpPeer& peer) const;
  void EndRest(Open& open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(OpenOnes::iterator open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The one that has rested longest or, if none rests, has been slow longest;
  // end() if none is slow. Null: of all networks.
  OpenOnes::iterator LeastUsed(const std::string* network)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  OpenOnes connections_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> held_ ABSL_GUARDED_BY(mutex_);  // by network
  // In the order in which they came to rest.
  std::map<uint64_t, HttpConnection*> resting_ ABSL_GUARDED_BY(mutex_);
  uint64_t rests_ ABSL_GUARDED_BY(mutex_) = 0;
};

std::shared_ptr<HttpConnection> MakeHttpConnection(
    std::shared_ptr<HttpCore> core, boost::asio::ip::tcp::socket socket);

// A small whole answer that closes its connection, for where no request could
// be read.
std::string RefusalText(int status, const std::string& message);

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_CORE_H_
