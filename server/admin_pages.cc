#include "server/admin_pages.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "CivetServer.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/errors.h"

namespace genzo {
namespace {

// Scrapers and probes come by one at a time. A connection that says nothing has
// a thread until its patience ends: behind 300 of them, five times as many as
// there are threads, a probe waits two and a half seconds.
constexpr char kThreads[] = "64";
constexpr char kRequestMs[] = "500";
// Accepted, and without a thread yet. Those that find no place are accepted
// only when the system tries again, which takes it seconds.
constexpr char kWaiting[] = "1024";
constexpr timeval kPatience = {.tv_sec = 0, .tv_usec = 200'000};

struct Answer {
  int code = 200;
  std::string body = "ok\n";
  const char* media_type = "text/plain; charset=utf-8";
};

class Page : public CivetHandler {
 public:
  explicit Page(std::function<Answer()> answer) : answer_(std::move(answer)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    return Send(connection, /*body=*/true);
  }
  bool handleHead(CivetServer*, mg_connection* connection) override {
    return Send(connection, /*body=*/false);
  }

 private:
  bool Send(mg_connection* connection, bool body) {
    const Answer answer = answer_();
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
              "Cache-Control: no-store\r\n\r\n",
              answer.code, mg_get_response_code_text(connection, answer.code),
              answer.media_type, answer.body.size());
    if (body) mg_write(connection, answer.body.data(), answer.body.size());
    return true;
  }

  const std::function<Answer()> answer_;
};

// Whether the server at `host` and `port` answers a call soon.
bool Answers(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return false;
  }
  const int connection =
      socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // What was accepted at the very end is never answered, nor closed.
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience,
             sizeof(kPatience));
  constexpr char kCall[] = "GET /livez HTTP/1.0\r\n\r\n";
  char answer[512];
  const bool answers =
      connect(connection, found->ai_addr, found->ai_addrlen) == 0 &&
      send(connection, kCall, sizeof(kCall) - 1, MSG_NOSIGNAL) > 0 &&
      recv(connection, answer, sizeof(answer), 0) > 0;
  if (connection >= 0) close(connection);
  freeaddrinfo(found);
  return answers;
}

}  // namespace

AdminPages::AdminPages() = default;

AdminPages::~AdminPages() {
  if (server_ == nullptr) return;
  // Civetweb's listening thread sees that it shall end when somebody calls, or
  // after two seconds, which is all that SIGTERM may take.
  std::atomic<bool> ended{false};
  std::thread caller([&ended, host = host_, port = absl::StrCat(port())] {
    while (!ended && Answers(host, port)) {
    }
  });
  server_.reset();
  ended = true;
  caller.join();
}

absl::StatusOr<std::unique_ptr<AdminPages>> AdminPages::Serve(
    const std::string& address, const Metrics& metrics,
    const Readiness& readiness) {
  std::unique_ptr<AdminPages> pages(new AdminPages);
  pages->host_ = std::string(absl::StripSuffix(
      absl::StripPrefix(address.substr(0, address.rfind(':')), "["), "]"));
  try {
    pages->server_ = std::make_unique<CivetServer>(std::vector<std::string>{
        "listening_ports", address, "num_threads", kThreads,
        "request_timeout_ms", kRequestMs, "connection_queue", kWaiting,
        "listen_backlog", kWaiting});
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
