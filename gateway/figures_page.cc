#include "gateway/figures_page.h"

#include "absl/strings/str_cat.h"
#include "gateway/router.h"

namespace genzo {

absl::StatusOr<std::unique_ptr<HttpServer>> ServeFigures(
    const std::string& address, const Metrics& metrics) {
  std::vector<Route> routes = {
      {"GET",
       "/metrics",
       {},
       [&metrics](HttpRequest, HttpExchangeRef exchange) {
         exchange->Send(
             {.content_type = "text/plain; version=0.0.4; charset=utf-8",
              .body = metrics.Text()});
       }},
      {"GET", "/livez", {}, [](HttpRequest, HttpExchangeRef exchange) {
         exchange->Send({.content_type = "text/plain", .body = "ok\n"});
       }}};
  const auto router =
      std::make_shared<Router>(std::move(routes), std::vector<std::string>(),
                               /*public_url=*/"");
  auto server = HttpServer::Start(
      {.listen = address, .threads = 1},
      [router](HttpRequest request, HttpExchangeRef exchange) {
        router->Handle(std::move(request), std::move(exchange));
      });
  if (server.ok()) return server;
  return absl::UnavailableError(
      absl::StrCat("admin address ", address,
                   " cannot be used: it is taken or not this machine's"));
}

}  // namespace genzo
