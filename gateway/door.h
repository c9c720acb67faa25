#ifndef GENZO_GATEWAY_DOOR_H_
#define GENZO_GATEWAY_DOOR_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/work_thread.h"
#include "gateway/a1111.h"
#include "gateway/backend.h"
#include "gateway/http_server.h"
#include "gateway/jobs_api.h"
#include "gateway/lists_api.h"
#include "gateway/mcp.h"
#include "gateway/openai_images.h"
#include "gateway/openai_models.h"
#include "gateway/page.h"
#include "gateway/router.h"
#include "gateway/watched_exchange.h"

namespace genzo {

// The HTTP door of a service: OpenAI's images, A1111, jobs, MCP and the page,
// on one address. Knows the service by its stub alone. Thread-safe.
class HttpDoor {
 public:
  // UNAVAILABLE if the address cannot be used, INVALID_ARGUMENT or NOT_FOUND if
  // a file that `config` names cannot. A page that is not there is left out,
  // with a warning. `clock` outlives the door; so does who watches.
  static absl::StatusOr<std::unique_ptr<HttpDoor>> Start(
      const HttpConfig& config, std::shared_ptr<grpc::Channel> channel,
      const Clock& clock, const HttpWatch& watch = {});
  // OK if the files that `config` names can be used.
  static absl::Status Check(const HttpConfig& config);
  // That the page that `config` names is not there, and is left out; or empty.
  static std::string MissingPage(const HttpConfig& config);
  // Stops at once.
  ~HttpDoor();

  // Accepts nothing more, lets requests under way end until `timeout`, then
  // breaks them off.
  void Stop(absl::Duration timeout) { server_->Stop(timeout); }

  // "http://127.0.0.1:8080", with the port that was taken.
  std::string url() const;
  bool has_page() const { return page_.has_value(); }

 private:
  HttpDoor(const HttpConfig& config, const std::string& link_key,
           std::shared_ptr<grpc::Channel> channel, const Clock& clock);
  std::vector<Route> Routes();
  // Has the figures tell what became of the certificate's files.
  static void TellCertificate(const HttpServer& server, Metrics& metrics);

  const HttpConfig config_;
  const ModelNames names_;
  std::string openapi_;  // of the routes
  PictureStore pictures_;
  std::optional<Page> page_;
  std::unique_ptr<Backend> backend_;  // its calls use what is above and below
  OpenAiImages openai_;
  OpenAiModels models_;
  A1111 a1111_;
  JobsApi jobs_;
  ListsApi lists_;
  Mcp mcp_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<HttpServer> server_;
  // Of TellCertificate(), every second; null: no TLS, or nobody looks.
  std::unique_ptr<WorkThread> certificate_looks_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_DOOR_H_
