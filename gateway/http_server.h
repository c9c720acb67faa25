#ifndef GENZO_GATEWAY_HTTP_SERVER_H_
#define GENZO_GATEWAY_HTTP_SERVER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/http.h"
#include "gateway/http_certificate_files.h"
#include "gateway/http_limits.h"

namespace genzo {

struct HttpServerOptions {
  std::string listen = "127.0.0.1:0";  // port 0 takes a free one
  HttpCertificateFiles tls = {};       // watched; without any: no TLS
  HttpLimits limits = {};
  // Of refusals that no handler sees; null: none.
  HttpHeadersForOrigin headers_for_origin = nullptr;
  int threads = 2;  // 1 or more
};

// An HTTP/1.1 server: connections, limits, TLS, whole requests in, answers
// out. Refuses what two readers could understand differently (two lengths,
// unknown transfer codings, no or several hosts), so that nothing can be
// smuggled past a proxy before it. Thread-safe.
class HttpServer {
 public:
  // UNAVAILABLE if the address cannot be used; INVALID_ARGUMENT if a PEM file
  // cannot.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const HttpServerOptions& options, HttpHandler handler);
  // Stops at once.
  ~HttpServer();

  // Accepts nothing more, closes connections on which no request has come
  // whole, lets those that are being answered end until `timeout`, then closes
  // what is left.
  void Stop(absl::Duration timeout);

  int port() const;
  // Looks at the files of the certificate; nullopt without TLS. May wait for
  // the disk.
  std::optional<HttpCertificateState> CertificateState() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_SERVER_H_
