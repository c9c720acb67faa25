#ifndef GENZO_GATEWAY_WATCHED_EXCHANGE_H_
#define GENZO_GATEWAY_WATCHED_EXCHANGE_H_

#include "base/clock.h"
#include "base/metrics.h"
#include "base/tracing.h"
#include "gateway/http.h"

namespace genzo {

// Who watches the door; null: nobody. They outlive it.
struct HttpWatch {
  Metrics* metrics = nullptr;
  Tracer* tracer = nullptr;
};

// `exchange`, counted in genzo_http_* and traced until its answer's end. From
// now on `request` carries as `traceparent` what is passed on to the service,
// and so does the answer. `clock` outlives the exchange.
HttpExchangeRef Watched(HttpRequest& request, HttpExchangeRef exchange,
                        const HttpWatch& watch, const Clock& clock);

}  // namespace genzo

#endif  // GENZO_GATEWAY_WATCHED_EXCHANGE_H_
