#include "gateway/door.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/watched_file.h"
#include "gateway/door_error.h"
#include "gateway/http_certificate.h"
#include "gateway/openapi.h"

namespace genzo {
namespace {

constexpr size_t kMinKeyBytes = 16;
constexpr int kRandomKeyBytes = 32;

// What signs links: the file's content, or random bytes, with which links end
// with the process.
absl::StatusOr<std::string> LinkKey(const std::string& path) {
  if (path.empty()) return RandomHex(kRandomKeyBytes);
  std::string key = WatchedFile(path).Read().value_or("");
  absl::StripAsciiWhitespace(&key);
  if (key.size() >= kMinKeyBytes) return key;
  return absl::InvalidArgumentError(
      absl::StrCat("http.link_key_file ", path, " cannot be read or has ",
                   key.size(), " bytes; the least is ", kMinKeyBytes));
}

HttpCertificateFiles FilesOf(const HttpConfig& config) {
  return {.certificate = config.certificate,
          .key = config.key,
          .client_ca = config.client_ca_file};
}

}  // namespace

HttpDoor::HttpDoor(const HttpConfig& config, const std::string& link_key,
                   std::shared_ptr<grpc::Channel> channel, const Clock& clock)
    : config_(config),
      names_(config.model_aliases),
      pictures_(link_key,
                {.max_bytes = config.picture_bytes, .kept = config.links_kept},
                clock),
      backend_(std::make_unique<Backend>(std::move(channel))),
      openai_({*backend_, pictures_, names_, clock}, config.public_url),
      models_(*backend_, names_),
      a1111_(*backend_, names_),
      jobs_(*backend_),
      lists_(*backend_),
      mcp_(*backend_, names_) {}

HttpDoor::~HttpDoor() {
  // No request may begin a call any more, and every call's end comes while all
  // that it uses is there.
  certificate_looks_.reset();
  server_.reset();
  backend_.reset();
}

std::vector<Route> HttpDoor::Routes() {
  std::vector<Route> routes = {
      {"GET",
       "/openapi.json",
       {},
       [this](HttpRequest, HttpExchangeRef exchange) {
         exchange->Send({.body = openapi_});
       }},
      // That the door is there; whether the service is, /v1/models tells.
      {"GET", "/healthz", {}, [](HttpRequest, HttpExchangeRef exchange) {
         exchange->Send({.content_type = "text/plain", .body = "ok\n"});
       }}};
  const auto add = [&](std::vector<Route> more) {
    routes.insert(routes.end(), more.begin(), more.end());
  };
  add(openai_.routes());
  add(models_.routes());
  add(jobs_.routes());
  add(lists_.routes());
  add(a1111_.routes());
  add(mcp_.routes());
  if (page_.has_value()) add(page_->routes());
  return routes;
}

absl::Status HttpDoor::Check(const HttpConfig& config) {
  if (config.listen.empty()) return absl::OkStatus();
  const absl::Status key = LinkKey(config.link_key_file).status();
  if (!key.ok()) return key;
  const absl::Status page =
      config.page.empty() ? absl::OkStatus() : Page::Read(config.page).status();
  if (!page.ok() && !absl::IsNotFound(page)) return page;
  if (config.certificate.empty()) return absl::OkStatus();
  return HttpCertificate::Open(FilesOf(config)).status();
}

std::string HttpDoor::MissingPage(const HttpConfig& config) {
  if (config.listen.empty() || config.page.empty()) return "";
  const absl::Status read = Page::Read(config.page).status();
  return absl::IsNotFound(read) ? absl::StrCat("no page: ", read.message())
                                : "";
}

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::Start(
    const HttpConfig& config, std::shared_ptr<grpc::Channel> channel,
    const Clock& clock, const HttpWatch& watch) {
  const auto key = LinkKey(config.link_key_file);
  if (!key.ok()) return key.status();
  std::unique_ptr<HttpDoor> door(
      new HttpDoor(config, *key, std::move(channel), clock));
  if (!config.page.empty()) {
    auto page = Page::Read(config.page);
    if (page.ok()) {
      door->page_ = *std::move(page);
    } else if (absl::IsNotFound(page.status())) {
      spdlog::warn("no page: {}", std::string(page.status().message()));
    } else {
      return page.status();
    }
  }
  std::vector<Route> routes = door->Routes();
  door->openapi_ = OpenApiDocument(routes);
  door->router_ = std::make_unique<Router>(std::move(routes), config.origins,
                                           config.public_url);
  HttpServerOptions options = {.listen = config.listen, .tls = FilesOf(config)};
  options.limits.max_connections = config.max_connections;
  options.limits.max_connections_per_address =
      config.max_connections_per_address;
  options.limits.max_body_bytes = config.max_body_bytes;
  options.headers_for_origin = [router =
                                    door->router_.get()](const auto& origin) {
    return router->HeadersFor(origin);
  };
  auto server = HttpServer::Start(
      options, [router = door->router_.get(), watch, &clock](
                   HttpRequest request, HttpExchangeRef exchange) {
        auto watched = Watched(request, std::move(exchange), watch, clock);
        router->Handle(std::move(request), std::move(watched));
      });
  if (!server.ok()) return server.status();
  door->server_ = *std::move(server);
  if (watch.metrics != nullptr && !config.certificate.empty()) {
    const auto tell = [&server = *door->server_, metrics = watch.metrics] {
      TellCertificate(server, *metrics);
    };
    tell();
    door->certificate_looks_ = std::make_unique<WorkThread>(/*tick=*/tell);
  }
  return door;
}

void HttpDoor::TellCertificate(const HttpServer& server, Metrics& metrics) {
  const auto state = server.CertificateState();
  if (!state.has_value()) return;
  constexpr char kFile[] = "http_certificate";
  metrics.SetFileInForce(kFile, state->in_force);
  metrics.SetCertificateExpiry(kFile, state->expiry);
}

std::string HttpDoor::url() const {
  const std::string& listen = config_.listen;
  return absl::StrCat(config_.certificate.empty() ? "http://" : "https://",
                      listen.substr(0, listen.rfind(':')), ":",
                      server_->port());
}

}  // namespace genzo
