#ifndef GENZO_GATEWAY_ROUTER_H_
#define GENZO_GATEWAY_ROUTER_H_

#include <string>
#include <vector>

#include "gateway/http.h"

namespace genzo {

// One line of the table of what is served.
struct Route {
  std::string method;   // GET also answers HEAD, unless it streams
  std::string pattern;  // "/v1/jobs/{}/events": {} is one segment; "/{*}",
                        // which comes last, is whatever has no route so far
  std::vector<std::string> body_types = {};  // media types; empty: any, or none
  HttpHandler handler;
  bool streams = false;
};

// Finds the route of a request and hands it over, with everything that holds
// for all of them: HEAD, OPTIONS, 404, 405, 415, and what browsers may do from
// pages of other origins. Const after it was made, so thread-safe.
class Router {
 public:
  // `origins`: "https://example.com" and the like, or "*", besides the door's
  // own.
  Router(std::vector<Route> routes, std::vector<std::string> origins)
      : routes_(std::move(routes)), origins_(std::move(origins)) {}

  void Handle(HttpRequest request, HttpExchangeRef exchange) const;

 private:
  bool IsListed(const std::string& origin) const;
  // Whether a page that `request` says it comes from may do what it likes. Also
  // true without a page. Pages of the name that the client used are the door's
  // own, but on an address of this machine alone any name that a stranger made
  // point at it is not (DNS rebinding).
  bool MayCome(const HttpRequest& request) const;
  HttpHeaders CorsHeaders(const HttpRequest& request) const;
  void Preflight(const HttpRequest& request,
                 const std::vector<std::string>& methods,
                 HttpExchange& exchange) const;

  const std::vector<Route> routes_;
  const std::vector<std::string> origins_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_ROUTER_H_
