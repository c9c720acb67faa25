#ifndef GENZO_GATEWAY_HTTP_HEAD_H_
#define GENZO_GATEWAY_HTTP_HEAD_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "boost/beast/http/message.hpp"
#include "gateway/http.h"
#include "gateway/http_limits.h"

// What stands before bodies: headers that come are judged, headers that go are
// written. All functions are pure, but for the date and new request ids.

namespace genzo {

using HttpRequestHead = boost::beast::http::request_header<>;

// Why a request is answered before any handler sees it.
struct HttpFault {
  int status = 0;
  std::string why;
};

// What is wrong with a header that could be read: a version, no host or
// several, a transfer coding that another reader could take for none.
std::optional<HttpFault> FaultOfHead(const HttpRequestHead& head);

// What a client is told whose request could not be read, of which `bytes` are
// there that no parser took; nullopt if it is gone and nobody would hear.
std::optional<HttpFault> FaultOfReading(const boost::system::error_code& error,
                                        const HttpLimits& limits,
                                        absl::string_view bytes);

// The refusal in the words of the door that `target`, as it came, leads to.
HttpResponse RefusalFor(absl::string_view target, const HttpFault& fault);

// `wanted` if it is an id that may be logged, else a new one.
std::string RequestIdOr(const std::string& wanted);

// What a connection adds to a response's own headers.
struct HttpHeadOptions {
  std::string request_id;
  bool closes = false;      // the connection, after the answer
  bool is_old = false;      // HTTP 1.0, where connections close unless said
  bool is_chunked = false;  // the body comes in chunks, else as response.body
};
// The head as it is sent, with its empty line.
std::string HeadText(const HttpResponse& response,
                     const HttpHeadOptions& options);

// Whether answers of that status have a body.
bool HasBody(int status);

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_HEAD_H_
