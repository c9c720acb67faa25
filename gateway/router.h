#ifndef GENZO_GATEWAY_ROUTER_H_
#define GENZO_GATEWAY_ROUTER_H_

#include <string>
#include <vector>

#include "gateway/http.h"

namespace genzo {

// One line of the table of what is served.
struct Route {
  std::string method;   // GET also answers HEAD; a stream then has a head only
  std::string pattern;  // "/v1/jobs/{}/events": {} is one segment; "/{*}",
                        // which comes last, is whatever has no route so far
  std::vector<std::string> body_types = {};  // media types; empty: any, or none
  HttpHandler handler;
  bool lacking = false;  // answers only that the service does not do this
  // Of "/{*}": whether something is at that path, which other methods are then
  // refused by, and not as if nothing were there. Null: nobody knows.
  std::function<bool(const std::string& path)> has = nullptr;
};

// Finds the route of a request and hands it over, with everything that holds
// for all of them: HEAD, OPTIONS, 404, 405, 415, and what browsers may do from
// pages of other origins. Const after it was made, so thread-safe.
class Router {
 public:
  // `origins`: "https://example.com" and the like, or "*", besides the door's
  // own. `public_url` is how the door is reached through a proxy; may be empty.
  Router(std::vector<Route> routes, std::vector<std::string> origins,
         std::string public_url)
      : routes_(std::move(routes)),
        origins_(std::move(origins)),
        public_url_(std::move(public_url)) {}

  void Handle(HttpRequest request, HttpExchangeRef exchange) const;
  // What lets scripts of pages of `origin` read answers, if they may. `origin`
  // is empty for clients that are no pages.
  HttpHeaders HeadersFor(const std::string& origin) const;

 private:
  bool IsListed(const std::string& origin) const;
  // Whether the door has the name by which it was called. On an address of this
  // machine alone it has those of the machine and those that the configuration
  // tells, not any that a stranger made point at it (DNS rebinding).
  bool IsOwnName(const HttpRequest& request) const;
  // Whether a page that `request` says it comes from may do what it likes. Also
  // true without a page. Pages of the name that the client used are the door's
  // own.
  bool MayCome(const HttpRequest& request) const;
  // What no route of the path does by that method; `methods` are what they do.
  void AnswerOtherMethod(const HttpRequest& request,
                         std::vector<std::string> methods,
                         HttpExchange& exchange) const;
  void Preflight(const HttpRequest& request,
                 const std::vector<std::string>& methods,
                 HttpExchange& exchange) const;

  const std::vector<Route> routes_;
  const std::vector<std::string> origins_;
  const std::string public_url_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_ROUTER_H_
