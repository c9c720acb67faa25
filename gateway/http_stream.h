#ifndef GENZO_GATEWAY_HTTP_STREAM_H_
#define GENZO_GATEWAY_HTTP_STREAM_H_

#include <optional>
#include <utility>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/ssl/stream.hpp"

namespace genzo {

// A connection's bytes, in the clear or over TLS: one type for both, so that
// what reads and writes them is compiled once. A stream in the sense of Asio
// and Beast; used on its executor alone.
class HttpStream {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using executor_type = Socket::executor_type;
  using Error = boost::system::error_code;

  // Without `context` in the clear. OpenSSL keeps what it needs of it.
  HttpStream(Socket socket, boost::asio::ssl::context* context)
      : socket_(std::move(socket)) {
    if (context != nullptr) tls_.emplace(socket_, *context);
  }

  executor_type get_executor() { return socket_.get_executor(); }
  bool is_secure() const { return tls_.has_value(); }
  Socket& socket() { return socket_; }

  // handler(error), also if there is nothing to shake hands about.
  template <typename Handler>
  void Handshake(Handler handler) {
    if (!tls_.has_value()) return handler(Error());
    tls_->async_handshake(boost::asio::ssl::stream_base::server,
                          std::move(handler));
  }

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_.has_value()) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      socket_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  }

  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_.has_value()) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      socket_.async_write_some(buffers, std::forward<Handler>(handler));
    }
  }

  // Says that nothing more will be written.
  void FinishWriting() {
    Error ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  void Close() {
    Error ignored;
    socket_.shutdown(Socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

 private:
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_STREAM_H_
