#include "gateway/router.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gateway/door_error.h"

namespace genzo {
namespace {

constexpr char kPreflightSeconds[] = "600";
constexpr char kEverything[] = "/{*}";

// What the {} of `pattern` stand for in `path`; nullopt if it does not fit.
std::optional<std::vector<std::string>> Match(const std::string& pattern,
                                              const std::string& path) {
  if (pattern == kEverything) return std::vector<std::string>{path};
  const std::vector<std::string> wanted = absl::StrSplit(pattern, '/');
  const std::vector<std::string> given = absl::StrSplit(path, '/');
  if (wanted.size() != given.size()) return std::nullopt;
  std::vector<std::string> arguments;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "{}" && !given[i].empty()) {
      arguments.push_back(given[i]);
    } else if (wanted[i] != given[i]) {
      return std::nullopt;
    }
  }
  return arguments;
}

bool Answers(const Route& route, const std::string& method) {
  return route.method == method || (method == "HEAD" && route.method == "GET");
}

// The names in `asked`, what a page wants to send, that can be names of
// headers: whatever else is in it is not to come back in a header.
std::string HeaderNamesIn(absl::string_view asked) {
  const auto is_of_a_name = [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", c);
  };
  std::vector<std::string> names;
  for (absl::string_view name : absl::StrSplit(asked, ',')) {
    name = absl::StripAsciiWhitespace(name);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_of_a_name)) {
      continue;
    }
    names.push_back(absl::AsciiStrToLower(name));
  }
  return absl::StrJoin(names, ", ");
}

// "application/json" of "Application/JSON; charset=utf-8".
std::string MediaTypeOf(const HttpRequest& request) {
  const std::vector<std::string> parts =
      absl::StrSplit(request.Header("content-type"), absl::MaxSplits(';', 1));
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(parts[0]));
}

// Adds headers to whatever answer comes.
class AddingExchange : public HttpExchange {
 public:
  AddingExchange(HttpExchangeRef exchange, HttpHeaders headers)
      : exchange_(std::move(exchange)), headers_(std::move(headers)) {}

  void Routed(const std::string& pattern) override {
    exchange_->Routed(pattern);
  }
  void Send(HttpResponse response) override {
    exchange_->Send(With(std::move(response)));
  }
  void Begin(HttpResponse head) override {
    exchange_->Begin(With(std::move(head)));
  }
  void Write(std::string bytes, std::function<void(bool)> written) override {
    exchange_->Write(std::move(bytes), std::move(written));
  }
  void End() override { exchange_->End(); }
  void OnGone(std::function<void()> gone) override {
    exchange_->OnGone(std::move(gone));
  }

 private:
  HttpResponse With(HttpResponse response) const {
    response.headers.insert(response.headers.end(), headers_.begin(),
                            headers_.end());
    return response;
  }

  const HttpExchangeRef exchange_;
  const HttpHeaders headers_;
};

// "localhost" of "http://localhost:8080" or "localhost:8080".
std::string HostOf(absl::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme != absl::string_view::npos) text.remove_prefix(scheme + 3);
  const size_t bracket = text.find(']');
  const size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos &&
      (bracket == absl::string_view::npos || colon > bracket)) {
    text = text.substr(0, colon);
  }
  return absl::AsciiStrToLower(text);
}

// Names that nobody can make point elsewhere (RFC 6761, RFC 1122).
bool IsLoopbackName(const std::string& host) {
  return host == "localhost" || absl::EndsWith(host, ".localhost") ||
         host == "[::1]" ||
         (absl::StartsWith(host, "127.") &&
          host.find_first_not_of("0123456789.") == std::string::npos);
}

}  // namespace

bool Router::IsListed(const std::string& origin) const {
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& listed) {
                       return listed == "*" || listed == origin;
                     });
}

bool Router::IsOwnName(const HttpRequest& request) const {
  const std::string host = HostOf(request.Header("host"));
  if (!request.is_local || host.empty() || IsLoopbackName(host) ||
      (!public_url_.empty() && HostOf(public_url_) == host)) {
    return true;
  }
  return std::any_of(origins_.begin(), origins_.end(),
                     [&](const std::string& listed) {
                       return listed == "*" || HostOf(listed) == host;
                     });
}

bool Router::MayCome(const HttpRequest& request) const {
  const std::string origin = request.Header("origin");
  if (origin.empty() || IsListed(origin)) return true;
  const std::string own = absl::StrCat(
      request.is_secure ? "https://" : "http://", request.Header("host"));
  // A proxy before the door may have taken TLS away.
  return absl::EqualsIgnoreCase(origin, own) ||
         absl::EqualsIgnoreCase(
             origin, absl::StrCat("https://", request.Header("host")));
}

HttpHeaders Router::HeadersFor(const std::string& origin) const {
  if (origins_.empty()) return {};
  HttpHeaders headers = {{"vary", "Origin"}};
  if (origin.empty() || !IsListed(origin)) return headers;
  headers.emplace_back("access-control-allow-origin", origin);
  headers.emplace_back("access-control-expose-headers",
                       "x-request-id, retry-after, location, mcp-session-id, "
                       "x-ratelimit-limit-requests, "
                       "x-ratelimit-remaining-requests, "
                       "x-ratelimit-reset-requests");
  return headers;
}

void Router::Preflight(const HttpRequest& request,
                       const std::vector<std::string>& methods,
                       HttpExchange& exchange) const {
  HttpResponse response = {.status = 204, .content_type = ""};
  std::vector<std::string> allowed = methods;
  allowed.push_back("OPTIONS");
  response.headers.emplace_back("allow", absl::StrJoin(allowed, ", "));
  const bool is_preflight =
      !request.Header("access-control-request-method").empty();
  if (is_preflight && MayCome(request)) {
    response.headers.emplace_back("access-control-allow-methods",
                                  absl::StrJoin(methods, ", "));
    // Whoever may call may say what he likes: what is not known is not read,
    // and SDKs send headers of their own, x-stainless-* for one.
    const std::string names =
        HeaderNamesIn(request.Header("access-control-request-headers"));
    if (!names.empty()) {
      response.headers.emplace_back("access-control-allow-headers", names);
    }
    response.headers.emplace_back("access-control-max-age", kPreflightSeconds);
  }
  exchange.Send(std::move(response));
}

void Router::Handle(HttpRequest request, HttpExchangeRef exchange) const {
  const DoorKind door = DoorOf(request.path);
  HttpHeaders cors = HeadersFor(request.Header("origin"));
  if (!cors.empty()) {
    exchange =
        std::make_shared<AddingExchange>(std::move(exchange), std::move(cors));
  }
  if (!IsOwnName(request)) {
    return exchange->Send(ErrorResponse(
        door, 403,
        absl::StrCat("host ", request.Header("host"),
                     " is not a name of this server; its configuration's "
                     "http.public_url and http.origins say which are")));
  }
  std::vector<std::string> methods;
  for (const Route& route : routes_) {
    auto arguments = Match(route.pattern, request.path);
    if (!arguments.has_value() && request.path != "*") continue;
    // What is served elsewhere by other methods is no page's.
    const bool is_page = route.pattern == kEverything && request.path != "/";
    const bool has = route.has != nullptr && route.has(request.path);
    if (is_page &&
        (!methods.empty() || !(has || Answers(route, request.method)))) {
      continue;
    }
    exchange->Routed(route.pattern);
    methods.push_back(route.method);
    if (route.method == "GET") methods.push_back("HEAD");
    if (!Answers(route, request.method) || !arguments.has_value()) continue;
    if (!MayCome(request) &&
        (request.method == "POST" || request.method == "DELETE" ||
         door == DoorKind::kMcp)) {
      return exchange->Send(ErrorResponse(
          door, 403,
          absl::StrCat("pages of ", request.Header("origin"),
                       " may not use this server; its configuration's "
                       "http.origins says which may")));
    }
    const std::string type = MediaTypeOf(request);
    if (!route.body_types.empty() &&
        std::find(route.body_types.begin(), route.body_types.end(), type) ==
            route.body_types.end()) {
      return exchange->Send(
          ErrorResponse(door, 415,
                        absl::StrCat("content-type \"", type, "\" is not ",
                                     absl::StrJoin(route.body_types, " or "))));
    }
    request.arguments = *std::move(arguments);
    return route.handler(std::move(request), std::move(exchange));
  }
  AnswerOtherMethod(request, std::move(methods), *exchange);
}

void Router::AnswerOtherMethod(const HttpRequest& request,
                               std::vector<std::string> methods,
                               HttpExchange& exchange) const {
  const DoorKind door = DoorOf(request.path);
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  if (methods.empty()) {
    return exchange.Send(ErrorResponse(
        door, 404, absl::StrCat("there is no ", request.path, " here")));
  }
  if (request.method == "OPTIONS") {
    return Preflight(request, methods, exchange);
  }
  HttpResponse response = ErrorResponse(
      door, 405,
      absl::StrCat("method ", request.method, " is not done by ", request.path,
                   ", which does ", absl::StrJoin(methods, ", ")));
  response.headers.emplace_back("allow", absl::StrJoin(methods, ", "));
  exchange.Send(std::move(response));
}

}  // namespace genzo
