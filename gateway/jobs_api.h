#ifndef GENZO_GATEWAY_JOBS_API_H_
#define GENZO_GATEWAY_JOBS_API_H_

#include <vector>

#include "gateway/backend.h"
#include "gateway/router.h"

namespace genzo {

// The service's own jobs as JSON: POST and GET /v1/jobs, GET and DELETE
// /v1/jobs/{id}, and its events as Server-Sent Events that Last-Event-ID
// resumes; POST /v1/score. Messages are those of the proto.
// Everything in it outlives its calls. Thread-safe.
class JobsApi {
 public:
  explicit JobsApi(Backend& backend) : backend_(backend) {}

  std::vector<Route> routes();

 private:
  void Create(const HttpRequest& request, const HttpExchangeRef& exchange);
  void List(const HttpRequest& request, const HttpExchangeRef& exchange);
  void Score(const HttpRequest& request, const HttpExchangeRef& exchange);
  void EventsHead(const HttpRequest& request, const HttpExchangeRef& exchange);
  void Events(const HttpRequest& request, const HttpExchangeRef& exchange);

  Backend& backend_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_JOBS_API_H_
