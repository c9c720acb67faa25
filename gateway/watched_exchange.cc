#include "gateway/watched_exchange.h"

#include <atomic>
#include <utility>

namespace genzo {
namespace {

// What a dropped request is answered with, see HttpExchange.
constexpr int kDropped = 500;
constexpr char kTraceparent[] = "traceparent";

class WatchedExchange : public HttpExchange {
 public:
  WatchedExchange(const HttpRequest& request, HttpExchangeRef exchange,
                  const HttpWatch& watch, const Clock& clock)
      : exchange_(std::move(exchange)),
        watch_(watch),
        clock_(clock),
        method_(request.method),
        caller_(ParseTraceparent(request.Header(kTraceparent))),
        traceparent_(TraceparentFor(caller_, watch.tracer)),
        begun_(clock.Now()) {
    if (watch_.metrics != nullptr) watch_.metrics->CountHttpInFlight(1);
  }
  ~WatchedExchange() override { Done(); }

  const std::string& traceparent() const { return traceparent_; }

  void Routed(const std::string& route) override { route_ = route; }
  void Send(HttpResponse response) override {
    status_ = response.status;
    exchange_->Send(WithTrace(std::move(response)));
    Done();
  }
  void Begin(HttpResponse head) override {
    status_ = head.status;
    exchange_->Begin(WithTrace(std::move(head)));
  }
  void Write(std::string bytes, std::function<void(bool)> written) override {
    exchange_->Write(std::move(bytes), std::move(written));
  }
  void End() override {
    exchange_->End();
    Done();
  }
  void OnGone(std::function<void()> gone) override {
    exchange_->OnGone(std::move(gone));
  }

 private:
  HttpResponse WithTrace(HttpResponse response) const {
    if (!traceparent_.empty()) {
      response.headers.emplace_back(kTraceparent, traceparent_);
    }
    return response;
  }

  // Of several calls the first counts.
  void Done() {
    if (is_done_.exchange(true)) return;
    const absl::Time now = clock_.Now();
    if (watch_.metrics != nullptr) {
      watch_.metrics->CountHttpInFlight(-1);
      watch_.metrics->CountHttp(route_, status_, now - begun_);
    }
    const auto context = ParseTraceparent(traceparent_);
    if (watch_.tracer == nullptr || !context.has_value()) return;
    watch_.tracer->Record(
        {.name = kHttpSpan,
         .context = *context,
         .parent = caller_.has_value() ? caller_->span_id : "",
         .begin = clock_.ToDate(begun_),
         .end = clock_.ToDate(now),
         .attributes = {{"http.request.method", method_},
                        {"http.route", route_},
                        {"http.response.status_code", int64_t{status_}}}});
  }

  const HttpExchangeRef exchange_;
  const HttpWatch watch_;
  const Clock& clock_;
  const std::string method_;
  const std::optional<TraceContext> caller_;
  const std::string traceparent_;
  const absl::Time begun_;
  // Written before the handler has the exchange.
  std::string route_ = "none";
  std::atomic<int> status_{kDropped};
  std::atomic<bool> is_done_{false};
};

}  // namespace

HttpExchangeRef Watched(HttpRequest& request, HttpExchangeRef exchange,
                        const HttpWatch& watch, const Clock& clock) {
  auto watched = std::make_shared<WatchedExchange>(request, std::move(exchange),
                                                   watch, clock);
  request.headers.erase(kTraceparent);
  if (!watched->traceparent().empty()) {
    request.headers.emplace(kTraceparent, watched->traceparent());
  }
  return watched;
}

}  // namespace genzo
