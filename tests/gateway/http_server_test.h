#ifndef GENZO_TESTS_GATEWAY_HTTP_SERVER_TEST_H_
#define GENZO_TESTS_GATEWAY_HTTP_SERVER_TEST_H_

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/http_server.h"
#include "tests/testing/matchers.h"

namespace genzo {

// Echoes method, path and body.
inline void Echo(HttpRequest request, HttpExchangeRef exchange) {
  exchange->Send({.content_type = "text/plain",
                  .body = absl::StrCat(request.method, " ", request.path, " ",
                                       request.body)});
}

inline std::unique_ptr<HttpServer> Serve(HttpHandler handler,
                                         const HttpLimits& limits = {}) {
  auto server = HttpServer::Start({.limits = limits}, std::move(handler));
  EXPECT_THAT(server, IsOk());
  return *std::move(server);
}

}  // namespace genzo

#endif  // GENZO_TESTS_GATEWAY_HTTP_SERVER_TEST_H_
