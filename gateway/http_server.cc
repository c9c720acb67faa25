#include "gateway/http_server.h"

#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "base/logging.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/asio/strand.hpp"
#include "gateway/http_core.h"

namespace genzo {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, HttpHandler handler)
      : core_(std::make_shared<HttpCore>(options.limits, std::move(handler),
                                         options.headers_for_origin)),
        work_(core_->io.get_executor()) {}
  ~Impl() { Stop(absl::ZeroDuration()); }

  absl::Status UseTls(const HttpCertificateFiles& files);
  absl::Status Listen(const std::string& address);
  void Start(int threads);
  void Stop(absl::Duration timeout);
  int port() const { return port_; }
  HttpCertificate* certificate() const { return core_->certificate.get(); }

 private:
  // What listens on one address of the host.
  struct HttpDoor {
    explicit HttpDoor(asio::io_context& io)
        : acceptor(asio::make_strand(io)), pause(acceptor.get_executor()) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
  };

  error_code Open(const tcp::endpoint& endpoint);
  void Accept(HttpDoor& door);
  void Take(tcp::socket socket);

  const std::shared_ptr<HttpCore> core_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::unique_ptr<HttpDoor>> doors_;
  int port_ = 0;
  std::vector<std::thread> threads_;
};

absl::Status HttpServer::Impl::UseTls(const HttpCertificateFiles& files) {
  auto opened = HttpCertificate::Open(files);
  if (opened.ok()) core_->certificate = *std::move(opened);
  return opened.status();
}

error_code HttpServer::Impl::Open(const tcp::endpoint& endpoint) {
  auto door = std::make_unique<HttpDoor>(core_->io);
  error_code error;
  auto& acceptor = door->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error) return error;
  port_ = acceptor.local_endpoint().port();
  doors_.push_back(std::move(door));
  return error;
}

absl::Status HttpServer::Impl::Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  error_code error;
  const auto found = tcp::resolver(core_->io).resolve(
      host, address.substr(colon + 1),
      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  for (const auto& entry : found) {
    tcp::endpoint endpoint = entry.endpoint();
    if (port_ != 0) endpoint.port(port_);
    error = Open(endpoint);
    // A host without IPv6 has "localhost" with an address of it all the same.
    if (error && doors_.empty()) break;
  }
  if (!doors_.empty()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("http.listen ", address, " cannot be used: ",
                   error ? error.message() : "the host has no address"));
}

void HttpServer::Impl::Start(int threads) {
  for (const auto& door : doors_) Accept(*door);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { core_->io.run(); });
  }
}

void HttpServer::Impl::Accept(HttpDoor& door) {
  door.acceptor.async_accept(
      asio::make_strand(core_->io),
      [this, &door](const error_code& error, tcp::socket socket) {
        if (!door.acceptor.is_open() || error == asio::error::operation_aborted)
          return;
        if (!error) {
          Take(std::move(socket));
          return Accept(door);
        }
        // Out of descriptors, for one. The connection waits, and asking at once
        // would spin.
        spdlog::warn("http: a connection waits: {}", error.message());
        door.pause.expires_after(std::chrono::milliseconds(100));
        door.pause.async_wait([this, &door](const error_code& stopped) {
          if (!stopped) Accept(door);
        });
      });
}

void HttpServer::Impl::Take(tcp::socket socket) {
  error_code error;  // of settings: none that matters
  socket.set_option(tcp::no_delay(true), error);
  socket.set_option(asio::socket_base::keep_alive(true), error);
  socket.non_blocking(true, error);
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // it is gone already
  const HttpPeer peer = PeerOf(remote.address().to_string());
  const std::string full = core_->MakeRoom(peer);
  if (!full.empty()) {
    if (core_->certificate != nullptr) return;
    socket.send(asio::buffer(RefusalText(503, full)), 0, error);
    return;
  }
  const auto connection = MakeHttpConnection(core_, std::move(socket));
  core_->Add(connection, peer);
  connection->Start();
}

void HttpServer::Impl::Stop(absl::Duration timeout) {
  if (threads_.empty()) return;
  core_->is_stopping = true;
  absl::BlockingCounter open_doors(static_cast<int>(doors_.size()));
  for (const auto& door : doors_) {
    asio::post(door->acceptor.get_executor(), [&open_doors, &door = *door] {
      error_code ignored;
      door.acceptor.close(ignored);
      door.pause.cancel();
      open_doors.DecrementCount();
    });
  }
  open_doors.Wait();  // then no connection comes any more
  for (const auto& open : core_->connections()) open->CloseWhenIdle();
  if (!core_->WaitUntilEmpty(timeout)) {
    for (const auto& open : core_->connections()) open->CloseNow();
  }
  // Not stopped: what is queued holds the connections, which hold the queue.
  work_.reset();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpServerOptions& options, HttpHandler handler) {
  auto impl = std::make_unique<Impl>(options, std::move(handler));
  if (!options.tls.certificate.empty()) {
    const absl::Status status = impl->UseTls(options.tls);
    if (!status.ok()) return status;
  }
  const absl::Status status = impl->Listen(options.listen);
  if (!status.ok()) return status;
  impl->Start(options.threads);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

void HttpServer::Stop(absl::Duration timeout) { impl_->Stop(timeout); }
int HttpServer::port() const { return impl_->port(); }

std::optional<HttpCertificateState> HttpServer::CertificateState() const {
  if (impl_->certificate() == nullptr) return std::nullopt;
  return impl_->certificate()->State();
}

}  // namespace genzo
