#include "server/admin_pages.h"

#include <functional>
#include <utility>

#include "CivetServer.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {
namespace {

// Scrapers and probes come by one at a time.
constexpr char kThreads[] = "4";

struct Answer {
  int code = 200;
  std::string body = "ok\n";
  const char* media_type = "text/plain; charset=utf-8";
};

class Page : public CivetHandler {
 public:
  explicit Page(std::function<Answer()> answer) : answer_(std::move(answer)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    const Answer answer = answer_();
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
              "Cache-Control: no-store\r\n\r\n",
              answer.code, mg_get_response_code_text(connection, answer.code),
              answer.media_type, answer.body.size());
    mg_write(connection, answer.body.data(), answer.body.size());
    return true;
  }

 private:
  const std::function<Answer()> answer_;
};

}  // namespace

AdminPages::AdminPages() = default;
AdminPages::~AdminPages() = default;

absl::StatusOr<std::unique_ptr<AdminPages>> AdminPages::Serve(
    const std::string& address, const Metrics& metrics,
    const Readiness& readiness) {
  std::unique_ptr<AdminPages> pages(new AdminPages);
  try {
    pages->server_ = std::make_unique<CivetServer>(std::vector<std::string>{
        "listening_ports", address, "num_threads", kThreads});
  } catch (const CivetException&) {
    // What it says is "null context when constructing CivetServer".
    return absl::UnavailableError(
        absl::StrCat("admin address ", address,
                     " cannot be used: it is taken or not this machine's"));
  }
  const auto add = [&](const char* path, std::function<Answer()> answer) {
    pages->handlers_.push_back(std::make_unique<Page>(std::move(answer)));
    pages->server_->addHandler(path, *pages->handlers_.back());
  };
  add("/metrics", [&metrics] {
    return Answer{.body = metrics.Text(),
                  .media_type = "text/plain; version=0.0.4; charset=utf-8"};
  });
  add("/livez", [] { return Answer(); });
  add("/readyz", [&readiness] {
    const std::string why = readiness.WhyNot();
    return why.empty() ? Answer() : Answer{503, absl::StrCat(why, "\n")};
  });
  add("/startupz", [&readiness] {
    if (readiness.started()) return Answer();
    const std::string why = readiness.WhyNot();
    return Answer{503, absl::StrCat(why, "\n")};
  });
  return pages;
}

int AdminPages::port() const { return server_->getListeningPorts().front(); }

}  // namespace genzo
