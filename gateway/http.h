#ifndef GENZO_GATEWAY_HTTP_H_
#define GENZO_GATEWAY_HTTP_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace genzo {

// Pairs in the order in which they are sent.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// A request, whole and checked as far as HTTP goes.
struct HttpRequest {
  std::string method;
  std::string path;                          // decoded, begins with '/'
  std::map<std::string, std::string> query;  // decoded; the last of a name
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string id;                      // what x-request-id says
  std::string peer;                    // its address, "192.0.2.1"
  bool is_secure = false;              // came over TLS
  bool is_local = false;               // to an address of this machine only
  std::vector<std::string> arguments;  // what the route's {} stand for

  // The first header of a name in lower case; empty if there is none.
  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// An answer, or the head of a streamed one.
struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";  // empty: none
  std::string body = {};
  HttpHeaders headers = {};  // besides type, length, date and request id
};

// The answering of one request: Send once, or Begin, some Write, End. Whoever
// drops it unanswered answers 500. Thread-safe; callbacks come on any thread,
// with no lock held.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  // Says which route was found, before anything else; for those who count.
  virtual void Routed(const std::string& /*pattern*/) {}

  virtual void Send(HttpResponse response) = 0;

  // Sends the head of an answer whose length is not known. While nothing is
  // written for a time, ": keepalive" comments are, as Server-Sent Events have
  // them.
  virtual void Begin(HttpResponse head) = 0;
  // `written(true)` when the system has taken the bytes, so that a writer that
  // waits for it never has more than one piece in memory; `written(false)` if
  // the client is gone, and then nothing more is worth writing. It may be null.
  virtual void Write(std::string bytes, std::function<void(bool)> written) = 0;
  virtual void End() = 0;

  // Calls `gone` once if the client goes away before the answer's end; at once
  // if it has. A later call replaces it.
  virtual void OnGone(std::function<void()> gone) = 0;
};

using HttpExchangeRef = std::shared_ptr<HttpExchange>;
// Must not block: it runs on a thread that serves other connections.
using HttpHandler = std::function<void(HttpRequest, HttpExchangeRef)>;

// What answers to pages of `origin` carry besides, so that their scripts may
// read them; `origin` is empty where no page asked. Thread-safe.
using HttpHeadersForOrigin = std::function<HttpHeaders(const std::string&)>;

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_H_
